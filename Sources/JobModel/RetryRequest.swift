import StrictJSON

/// What a client changes of a job with `POST /v1/jobs/{id}/retry`; nil: as it was.
public struct RetryRequest: Sendable, Hashable {
  /// `quantization.damp_percent`.
  public var dampPercent: Double?
  /// `damping.start`.
  public var dampingStart: DampingRequest.Start?
  /// `recovery.escalate_samples`.
  public var escalateSamples: [Int]?
  /// `recovery.on_exhausted`.
  public var onExhausted: RecoveryRequest.Exhausted?
  /// `moe.starved`.
  public var starved: MixtureRequest.Starved?
  /// What is given of `slurm`.
  public var slurm: SlurmRequest?
  public var nodes: Int?

  public init(
    dampPercent: Double? = nil, dampingStart: DampingRequest.Start? = nil, escalateSamples: [Int]? = nil,
    onExhausted: RecoveryRequest.Exhausted? = nil, starved: MixtureRequest.Starved? = nil, slurm: SlurmRequest? = nil, nodes: Int? = nil
  ) {
    self.dampPercent = dampPercent
    self.dampingStart = dampingStart
    self.escalateSamples = escalateSamples
    self.onExhausted = onExhausted
    self.starved = starved
    self.slurm = slurm
    self.nodes = nodes
  }

  /// Reads a request from outside.
  ///
  /// - Throws: `Problem` (422) that names every wrong or unknown field by its JSON pointer.
  public init(parsing json: JSONValue) throws(Problem) {
    guard case .object(let object) = json else {
      throw Problem.invalidRequest([.init(pointer: "", detail: "must be an object, is \(json.kindDescription)")])
    }
    var reader = RequestReader(object, at: "")
    dampPercent = reader.nested("quantization") { $0.dampPercent() } ?? nil
    dampingStart = reader.nested("damping") { $0.dampingStart() } ?? nil
    let recovery = reader.nested("recovery") { ($0.escalateSamples(), $0.onExhausted()) }
    (escalateSamples, onExhausted) = recovery ?? (nil, nil)
    starved = reader.nested("moe") { $0.starvedExperts() } ?? nil
    slurm = reader.slurm()
    nodes = reader.nodes()
    let errors = reader.finished()
    guard errors.isEmpty else { throw Problem.invalidRequest(errors) }
  }

  /// The job's request with the changes.
  ///
  /// - Throws: `Problem` (422) that names a change which this kind of job can't have.
  public func applied(to request: JobRequest) throws(Problem) -> JobRequest {
    if request.kind == .layers, escalateSamples?.isEmpty == false {
      throw Problem.invalidRequest([.init(pointer: "/recovery/escalate_samples", detail: RecoveryRequest.noMoreRows)])
    }
    if request.kind == .layers, starved != nil {
      throw Problem.invalidRequest([.init(pointer: "/moe", detail: MixtureRequest.noExperts)])
    }
    if request.kind == .layers, let nodes, nodes > 1 {
      throw Problem.invalidRequest([.init(pointer: "/nodes", detail: JobRequest.noNodesForLayers)])
    }
    var changed = request
    changed.quantization.dampPercent = dampPercent ?? request.quantization.dampPercent
    changed.damping.start = dampingStart ?? request.damping.start
    changed.recovery.escalateSamples = escalateSamples ?? request.recovery.escalateSamples
    changed.recovery.onExhausted = onExhausted ?? request.recovery.onExhausted
    changed.moe = starved.map { MixtureRequest(starved: $0) } ?? request.moe
    changed.slurm = slurm.map { $0.completed(by: request.slurm ?? SlurmRequest()) } ?? request.slurm
    changed.nodes = nodes ?? request.nodes
    return changed
  }
}
