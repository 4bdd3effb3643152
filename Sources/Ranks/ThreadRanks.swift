import Foundation

/// Ranks that are threads of one process, for tests and trials.
public final class ThreadRanks: RankGroup {
  public let rank: Int
  private let meeting: Meeting

  private init(_ rank: Int, _ meeting: Meeting) {
    self.rank = rank
    self.meeting = meeting
  }

  public var count: Int { meeting.count }

  /// Runs `body` once for each of so many ranks, all at the same time.
  ///
  /// - Returns: What became of each, in the order of ranks. Where one throws, the others' calls throw too.
  public static func run<Success: Sendable>(
    _ count: Int, _ body: @escaping @Sendable (ThreadRanks) throws -> Success
  ) -> [Result<Success, any Error>] {
    let meeting = Meeting(count: count)
    let results = Results<Success>(count: count)
    for rank in 0..<count {
      let thread = Thread {
        let group = ThreadRanks(rank, meeting)
        results.set(rank, Result { try group.together { try body(group) } })
      }
      thread.stackSize = 16 << 20
      thread.start()
    }
    return results.wait()
  }

  public func exchange(_ sent: [UnsafeRawBufferPointer], into received: [UnsafeMutableRawBufferPointer]) throws {
    try meeting.exchange(rank, sent, into: received)
  }

  public func abandon(_ reason: String) { meeting.abandon(.abandoned(rank: rank, reason: reason)) }
}

/// Where threads wait for each other.
private final class Meeting: @unchecked Sendable {  // reason: `condition` guards all that changes
  let count: Int
  private let condition = NSCondition()
  private var sent: [[UnsafeRawBufferPointer]]
  private var arrived = 0
  private var left = 0
  /// Exchanges that all have come to, and that all have left.
  private var (begun, ended) = (0, 0)
  private var abandonment: RankError?

  init(count: Int) {
    self.count = count
    sent = [[UnsafeRawBufferPointer]](repeating: [], count: count)
  }

  func abandon(_ error: RankError) {
    condition.withLock {
      abandonment = abandonment ?? error
      condition.broadcast()
    }
  }

  func exchange(_ rank: Int, _ parts: [UnsafeRawBufferPointer], into received: [UnsafeMutableRawBufferPointer]) throws {
    precondition(parts.count == count && received.count == count)
    let sources = try condition.withLock { try arrive(rank, parts) }
    for (source, target) in zip(sources, received).enumerated().filter({ $0.offset != rank }).map(\.element) {
      precondition(source.count == target.count, "\(source.count) bytes were sent, \(target.count) are expected")
      target.copyMemory(from: source)
    }
    condition.withLock(leave)
  }

  /// - Returns: What each rank sends to this one.
  private func arrive(_ rank: Int, _ parts: [UnsafeRawBufferPointer]) throws -> [UnsafeRawBufferPointer] {
    if let abandonment { throw abandonment }
    sent[rank] = parts
    arrived += 1
    let exchange = begun
    if arrived == count {
      begun += 1
      condition.broadcast()
    }
    while begun == exchange {
      if let abandonment { throw abandonment }
      condition.wait()
    }
    return sent.map { $0[rank] }
  }

  /// The others' memory isn't theirs again before all have copied it. None can have given up: all are here.
  private func leave() {
    left += 1
    if left == count {
      (arrived, left) = (0, 0)
      ended += 1
      condition.broadcast()
    }
    while ended < begun { condition.wait() }
  }
}

private final class Results<Success: Sendable>: @unchecked Sendable {  // reason: `condition` guards what changes
  private let condition = NSCondition()
  private var results: [Result<Success, any Error>?]

  init(count: Int) { results = [Result<Success, any Error>?](repeating: nil, count: count) }

  func set(_ rank: Int, _ result: Result<Success, any Error>) {
    condition.withLock {
      results[rank] = result
      condition.broadcast()
    }
  }

  func wait() -> [Result<Success, any Error>] {
    condition.withLock {
      while results.contains(where: { $0 == nil }) { condition.wait() }
      return results.compactMap(\.self)
    }
  }
}
