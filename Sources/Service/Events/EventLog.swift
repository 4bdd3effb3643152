import JobModel
import NIOCore

/// The last events of a job as bytes, which all of its readers share, and the job as it is.
struct EventLog {
  /// Where a reader is.
  struct Cursor {
    /// The last event that it got.
    var sequence: Int
    /// Versions of the last job, and of the last job or progress, that it got.
    fileprivate var jobVersion = 0
    fileprivate var version = 0
    fileprivate var beats: Int?

    init(after sequence: Int) { self.sequence = sequence }
  }

  enum Step {
    case send(ByteBuffer)
    /// Events after the cursor and up to a number are in the database only.
    case readEarlier(upTo: Int)
    case wait
    case end(ByteBuffer)
  }

  private struct Entry {
    let sequence: Int
    let frame: ByteBuffer
  }

  private static let entryLimit = 256
  /// Entries with which a log begins: jobs that ended have thousands of events, and a reader may have most of them.
  static let firstEntries = 64
  private static let byteLimit = 256 << 10
  /// Bytes that go to a reader at once; more where one message has more.
  static let batchSize = 32 << 10

  private var entries: [Entry] = []
  private var bytes = 0
  /// The last event that `entries` doesn't have.
  private var base: Int
  /// The last event.
  private(set) var last: Int
  private(set) var job: Job
  private var jobFrame: (version: Int, frame: ByteBuffer)
  private var progressFrame: (version: Int, frame: ByteBuffer)?
  private var beats = 0
  private(set) var end: StreamEnd?

  /// - Parameter hasEarlier: Whether there are events before those.
  init(_ job: Job, events: [JobEvent], hasEarlier: Bool) throws {
    self.job = job
    jobFrame = (job.version, try EventFrame.job(job))
    base = hasEarlier ? (events.first?.sequence ?? 1) - 1 : 0
    last = base
    for event in events { try append(event) }
    if job.status.isEnded { end = .ended(job.status) }
  }

  /// Adds what happened; what is known already does nothing.
  mutating func append(_ event: JobEvent) throws {
    guard event.sequence > last else { return }
    let frame = try EventFrame.durable(event)
    entries.append(Entry(sequence: event.sequence, frame: frame))
    last = event.sequence
    bytes += frame.readableBytes
    guard entries.count > Self.entryLimit || bytes > Self.byteLimit else { return }
    // Half of them at once, so that it is rare.
    let count = max(1, entries.count / 2)
    bytes -= entries[..<count].reduce(0) { $0 + $1.frame.readableBytes }
    base = entries[count - 1].sequence
    entries.removeFirst(count)
  }

  /// Takes a newer version of the job.
  ///
  /// - Returns: Whether more than its progress is new, so that readers are to be told at once.
  mutating func take(_ newer: Job) throws -> Bool {
    guard newer.version > job.version else { return false }
    var same = newer
    (same.progress, same.version) = (job.progress, job.version)
    let isOnlyProgress = same == job
    job = newer
    guard !isOnlyProgress else { return false }
    jobFrame = (newer.version, try EventFrame.job(newer))
    if newer.status.isEnded { end = .ended(newer.status) }
    return true
  }

  /// - Returns: Whether there is progress that readers weren't told of.
  mutating func publishProgress() throws -> Bool {
    guard job.version > max(jobFrame.version, progressFrame?.version ?? 0) else { return false }
    progressFrame = (job.version, try EventFrame.progress(job))
    return true
  }

  mutating func beat() { beats += 1 }

  mutating func end(_ end: StreamEnd) { self.end = self.end ?? end }

  /// What a reader gets next.
  func next(_ cursor: inout Cursor) -> Step {
    guard let beatsSent = cursor.beats else {
      // Numbers that aren't given out yet come from another database, such as one that was restored from a backup.
      cursor.sequence = min(cursor.sequence, last)
      cursor.beats = beats
      (cursor.jobVersion, cursor.version) = (jobFrame.version, jobFrame.version)
      var buffer = EventFrame.start
      buffer.writeImmutableBuffer(jobFrame.frame)
      return .send(buffer)
    }
    guard cursor.sequence >= base else { return .readEarlier(upTo: base) }
    if cursor.sequence < last { return .send(batch(&cursor)) }
    if jobFrame.version > cursor.jobVersion {
      (cursor.jobVersion, cursor.version) = (jobFrame.version, max(jobFrame.version, cursor.version))
      return .send(jobFrame.frame)
    }
    if let progressFrame, progressFrame.version > cursor.version {
      cursor.version = progressFrame.version
      return .send(progressFrame.frame)
    }
    if let end { return .end(EventFrame.end(end)) }
    guard beats > beatsSent else { return .wait }
    cursor.beats = beats
    return .send(EventFrame.heartbeat)
  }

  /// The first of some events, as many as go to a reader at once, and the number of the last of them.
  static func batch(_ events: [JobEvent]) throws -> (buffer: ByteBuffer, last: Int?) {
    var (buffer, last) = (ByteBuffer(), Int?.none)
    for event in events {
      let frame = try EventFrame.durable(event)
      guard last == nil || buffer.readableBytes + frame.readableBytes <= batchSize else { break }
      buffer.writeImmutableBuffer(frame)
      last = event.sequence
    }
    return (buffer, last)
  }

  private func batch(_ cursor: inout Cursor) -> ByteBuffer {
    // Readers are near the end nearly always.
    let first = entries.lastIndex { $0.sequence <= cursor.sequence }.map { $0 + 1 } ?? 0
    var buffer = entries[first].frame
    cursor.sequence = entries[first].sequence
    for entry in entries[(first + 1)...] {
      guard buffer.readableBytes + entry.frame.readableBytes <= Self.batchSize else { break }
      buffer.writeImmutableBuffer(entry.frame)
      cursor.sequence = entry.sequence
    }
    return buffer
  }
}
