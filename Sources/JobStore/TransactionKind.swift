/// What a transaction does with the database.
public enum TransactionKind: String, Sendable, CaseIterable { case read, write }

/// Told how long a transaction took, the wait for its turn and for the disk included, also of one that failed.
public typealias TransactionMeter = @Sendable (TransactionKind, Duration) -> Void
