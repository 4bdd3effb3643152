import Foundation

/// What a daemon tells of itself: `GET /v1/server`.
public struct ServerStatus: Codable, Sendable, Hashable {
  /// The token that a request came with.
  public struct Access: Codable, Sendable, Hashable {
    public var name: String
    /// Whether it may do more than `GET` and `HEAD`.
    public var mayWrite: Bool

    public init(name: String, mayWrite: Bool) {
      self.name = name
      self.mayWrite = mayWrite
    }
  }

  /// How many jobs are in each status.
  public struct Jobs: Codable, Sendable, Hashable {
    public var queued: Int
    /// Those that are being cancelled included.
    public var running: Int
    public var succeeded: Int
    public var failed: Int
    public var cancelled: Int

    public init(_ counts: [JobStatus: Int]) {
      func count(_ status: JobStatus) -> Int { counts[status] ?? 0 }
      queued = count(.queued)
      running = count(.running) + count(.cancelling)
      (succeeded, failed, cancelled) = (count(.succeeded), count(.failed), count(.cancelled))
    }
  }

  public struct Limits: Codable, Sendable, Hashable {
    /// Jobs that may wait.
    public var queuedJobs: Int
    /// Bytes of a JSON body.
    public var bodyBytes: Int
    /// Jobs at once.
    public var workers: Int
    /// Cores that they share.
    public var threads: Int
    /// Bytes that they may have resident together.
    public var memoryBytes: Int

    public init(queuedJobs: Int, bodyBytes: Int, workers: Int, threads: Int, memoryBytes: Int) {
      self.queuedJobs = queuedJobs
      self.bodyBytes = bodyBytes
      self.workers = workers
      self.threads = threads
      self.memoryBytes = memoryBytes
    }
  }

  public var version: String
  public var time: Date
  /// It takes no new work, since it stops.
  public var draining: Bool
  /// nil where no token is needed.
  public var access: Access?
  public var jobs: Jobs
  public var limits: Limits
  /// Bytes that are free on the data folder's disk; nil: unknown.
  public var freeDiskBytes: Int?
  /// Bytes of the machine's memory that programs could get; nil: unknown.
  public var availableMemoryBytes: Int?

  public init(
    version: String, time: Date, draining: Bool, access: Access?, jobs: Jobs, limits: Limits, freeDiskBytes: Int?,
    availableMemoryBytes: Int?
  ) {
    self.version = version
    self.time = time
    self.draining = draining
    self.access = access
    self.jobs = jobs
    self.limits = limits
    self.freeDiskBytes = freeDiskBytes
    self.availableMemoryBytes = availableMemoryBytes
  }
}
