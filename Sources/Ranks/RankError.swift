/// What keeps ranks from working together.
public enum RankError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Another rank failed, or was told to stop.
  case abandoned(rank: Int, reason: String)
  /// Ranks are at different places of the same job.
  case disagreement
  /// The library that passes messages can't be loaded.
  case noMessagePassing(reason: String)
  /// An operation of the library that passes messages failed.
  case messagePassing(operation: String, reason: String)

  public var description: String {
    switch self {
    case .abandoned(let rank, let reason): "rank \(rank) of the job gave up: \(reason)"
    case .disagreement: "the ranks of the job are at different places of it; all need the same gptqd, request and files"
    case .noMessagePassing(let reason):
      "ranks need libgptqdmpi.so beside the program or in the library path, and it can't be loaded (\(reason)); "
        + "build it with make mpi, with the MPI of the machine that it is to run on"
    case .messagePassing(let operation, let reason): "\(operation) failed: \(reason)"
    }
  }
}
