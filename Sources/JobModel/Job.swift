import Foundation

/// A quantization job as clients see it.
public struct Job: Codable, Sendable, Hashable, Identifiable {
  public let id: JobID
  public var status: JobStatus
  /// What a running job is doing.
  public var stage: Stage?
  public let createdAt: Date
  public var startedAt: Date?
  public var finishedAt: Date?
  /// How often the job was started.
  public var attempt: Int
  /// Grows with every change of the job; the `ETag` of its representation.
  public var version: Int
  public var request: JobRequest
  /// What the job will need, by the plan made when it was submitted.
  public var estimate: Estimate?
  public var progress: Progress?
  /// Where the job is in Slurm's hands, or was last; nil: it never was.
  public var slurm: SlurmPlacement?
  /// A layer of the result is worse than the request asked for; `warnings` name it.
  public var degraded: Bool
  public var warnings: [String]
  /// How the daemon, or an attempt on a cluster, ended while the job ran, since it was submitted or retried.
  public var interruptions: [Interruption]
  public var result: ArtifactManifest?
  /// Files of `result` whose bytes are no longer those that were published; they aren't served.
  public var damagedFiles: [String]
  public var report: Report?
  public var error: Failure?

  public enum Stage: String, Codable, Sendable, CaseIterable {
    /// Until the cluster has room for it.
    case waiting
    /// Getting the model from the Hub.
    case downloading
    /// Reading the model and tokenizing the data.
    case preparing
    case quantizing
    /// Measuring perplexity before and after.
    case evaluating
    /// Writing and verifying the checkpoint.
    case publishing
  }

  public struct Estimate: Codable, Sendable, Hashable {
    /// Most bytes of memory at a time.
    public var memoryBytes: Int
    /// Most bytes below the data folder at a time: finished blocks, the checkpoint that is put together, what memory has no room for.
    public var diskBytes: Int
    /// Of those, what stays: the checkpoint.
    public var artifactBytes: Int

    public init(memoryBytes: Int, diskBytes: Int, artifactBytes: Int) {
      self.memoryBytes = memoryBytes
      self.diskBytes = diskBytes
      self.artifactBytes = artifactBytes
    }
  }

  /// The daemon, or an attempt on a cluster, ended without having stopped the job: a crash, a kill, a power cut, a lost node.
  public struct Interruption: Codable, Sendable, Hashable {
    /// When a daemon found the job in that state.
    public var foundAt: Date
    public var stage: Stage?
    /// Layers that were done.
    public var layersDone: Int
    /// The one that wasn't; nil where all were.
    public var layer: String?
    /// What is known of an attempt's end; nil: the daemon ended.
    public var reason: String?

    public init(foundAt: Date, stage: Stage?, layersDone: Int, layer: String?, reason: String? = nil) {
      self.foundAt = foundAt
      self.stage = stage
      self.layersDone = layersDone
      self.layer = layer
      self.reason = reason
    }

    /// As many at the same place end a job: it would bring the daemon down for ever.
    public static let limit = 3

    func isAtPlace(of other: Interruption) -> Bool { stage == other.stage && layersDone == other.layersDone }
  }

  /// The next end of the daemon at the same place would be the last.
  public var isSuspect: Bool { endsAtSamePlace == Interruption.limit - 1 }

  /// How many of the interruptions were where the last one was.
  private var endsAtSamePlace: Int { interruptions.last.map { interruptions.count(where: $0.isAtPlace) } ?? 0 }

  /// What to fail the job with; nil where another start may get further.
  public var interruptionFailure: Failure? {
    guard let last = interruptions.last, endsAtSamePlace >= Interruption.limit else { return nil }
    let place = "\(last.stage?.rawValue ?? "waiting"), with \(last.layersDone) layers done" + (last.layer.map { ", next \($0)" } ?? "")
    if let reason = last.reason {
      return Failure(
        code: "attempts_lost", layer: last.layer,
        detail: "\(Interruption.limit) attempts ended while this job was at the same place: \(place); the last one: \(reason)",
        tried: "to go on from the last finished block after each",
        advice: "A block that takes longer than the partition lets a job run needs more time (slurm.time) or cpus; one that was killed for "
          + "lack of memory needs more (slurm.memory). Then retry the job: gptqctl retry \(id) --slurm-time … --slurm-memory ….")
    }
    return Failure(
      code: "daemon_interrupted", layer: last.layer,
      detail: "the daemon ended \(Interruption.limit) times while this job was at the same place: \(place)",
      tried: "to go on from the last finished block after each",
      advice: "Look for the reason in the log of the system (journalctl -u gptqd, dmesg): killed for lack of memory (lower "
        + "compute.memory_limit), a disk or memory fault, or a defect of gptqd. Then retry the job.")
  }

  public struct Progress: Codable, Sendable, Hashable {
    /// The layer last begun.
    public var layer: String?
    /// Layers finished.
    public var done: Int
    public var total: Int
    /// Part of the whole work that is done, 0 to 1, evaluation and writing included.
    public var fraction: Double
    public var etaSeconds: Double?
    /// While the stage is `downloading`, of which `fraction` and `etaSeconds` tell then: bytes that are there, and of the whole.
    public var bytesDone: Int?
    public var bytesTotal: Int?

    public init(
      layer: String? = nil, done: Int, total: Int, fraction: Double, etaSeconds: Double? = nil, bytesDone: Int? = nil,
      bytesTotal: Int? = nil
    ) {
      self.layer = layer
      self.done = done
      self.total = total
      self.fraction = fraction
      self.etaSeconds = etaSeconds
      self.bytesDone = bytesDone
      self.bytesTotal = bytesTotal
    }
  }

  /// What the job measured over the whole model.
  public struct Report: Codable, Sendable, Hashable {
    /// exp of the mean negative log likelihood of a token, source checkpoint.
    public var perplexityBefore: Double?
    /// The same of the result, read back from its packed tensors.
    public var perplexityAfter: Double?
    /// Tokens predicted in each of the two.
    public var evaluationTokens: Int?
    /// Tokens that entered the Hessians.
    public var calibrationTokens: Int?
    public var layers: Int
    /// Layers whose method isn't the one asked for.
    public var degradedLayers: [DegradedLayer]
    /// Mean over the layers.
    public var meanRelativeLoss: Double?
    public var seconds: Double

    public init(
      perplexityBefore: Double? = nil, perplexityAfter: Double? = nil, evaluationTokens: Int? = nil,
      calibrationTokens: Int? = nil, layers: Int, degradedLayers: [DegradedLayer] = [], meanRelativeLoss: Double? = nil, seconds: Double
    ) {
      self.perplexityBefore = perplexityBefore
      self.perplexityAfter = perplexityAfter
      self.evaluationTokens = evaluationTokens
      self.calibrationTokens = calibrationTokens
      self.layers = layers
      self.degradedLayers = degradedLayers
      self.meanRelativeLoss = meanRelativeLoss
      self.seconds = seconds
    }
  }

  /// A layer that no remedy cured.
  public struct DegradedLayer: Codable, Sendable, Hashable {
    public var layer: String
    public var method: LayerRecord.Method
    public var cause: AttemptRecord.Cause

    public init(layer: String, method: LayerRecord.Method, cause: AttemptRecord.Cause) {
      self.layer = layer
      self.method = method
      self.cause = cause
    }
  }

  /// Why a job failed and what its owner can do.
  public struct Failure: Codable, Sendable, Hashable, Error {
    /// Stable name, such as `not_positive_definite`.
    public var code: String
    public var layer: String?
    public var cause: AttemptRecord.Cause?
    public var detail: String
    /// What was done about it in vain.
    public var tried: String?
    public var advice: String?

    public init(
      code: String, layer: String? = nil, cause: AttemptRecord.Cause? = nil, detail: String, tried: String? = nil, advice: String? = nil
    ) {
      self.code = code
      self.layer = layer
      self.cause = cause
      self.detail = detail
      self.tried = tried
      self.advice = advice
    }
  }

  /// A newly submitted job: queued, version 1.
  public init(id: JobID, request: JobRequest, createdAt: Date, warnings: [String] = [], estimate: Estimate? = nil) {
    self.id = id
    self.status = .queued
    self.createdAt = createdAt
    self.attempt = 0
    self.version = 1
    self.request = request
    self.degraded = false
    self.warnings = warnings
    self.interruptions = []
    self.damagedFiles = []
    self.estimate = estimate
  }
}
