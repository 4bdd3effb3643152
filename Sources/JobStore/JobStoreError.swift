/// What keeps jobs from being stored or read.
public enum JobStoreError: Error, Hashable, Sendable, CustomStringConvertible {
  case cannotOpen(path: String, reason: String)
  case notADatabase(path: String)
  /// The database has migrations that this program doesn't know.
  case newerSchema(path: String, migrations: [String])
  /// An `Idempotency-Key` was used before with another body.
  case idempotencyMismatch(key: String)
  case unknownJob(String)
  /// As many jobs wait as may.
  case queueFull(limit: Int)
  /// Nothing was stored.
  case diskFull(path: String)
  /// Nothing was stored, and SQLite doesn't tell whether the disk is full or faulty.
  case unwritable(path: String, reason: String)
  /// The file can't be opened or read just now.
  case unusable(path: String, reason: String)

  /// Another try may succeed once the disk has room or can be reached again.
  public var isOfDisk: Bool {
    switch self {
    case .diskFull, .unwritable, .unusable: true
    default: false
    }
  }

  public var description: String {
    switch self {
    case .cannotOpen(let path, let reason): "the database \(path) can't be opened: \(reason)"
    case .notADatabase(let path):
      "\(path) is damaged or no SQLite database; move it away to start with an empty one, or restore a backup"
    case .newerSchema(let path, let migrations):
      "the database \(path) was written by a newer gptqd (\(migrations.joined(separator: ", "))); install that version"
    case .idempotencyMismatch(let key): "the Idempotency-Key \"\(key)\" was used before with another request"
    case .unknownJob(let id): "there is no job \(id)"
    case .diskFull(let path): "the database \(path) can't grow: its disk is full"
    case .unwritable(let path, let reason): "the database \(path) can't be written, its disk is full or faulty: \(reason)"
    case .unusable(let path, let reason): "the database \(path) can't be used: \(reason)"
    case .queueFull(let limit): "\(limit) jobs wait already, the most that jobs.max_queued allows"
    }
  }
}
