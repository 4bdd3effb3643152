import Checkpoint
import Foundation
import JobModel
import Quantization
import StrictJSON
import Transformer

/// Checks a request against the model's files before a job is made of it, and lists the layers that the job will handle.
public struct EnginePlanner: JobPlanner {
  private let memory: @Sendable (JobRequest) -> Int
  private let dataFolder: URL
  private let freeBytes: @Sendable (URL) -> Int?

  /// - Parameters:
  ///   - memory: Bytes that a job may have resident.
  ///   - freeBytes: On a folder's disk; nil: unknown.
  public init(
    memory: @escaping @Sendable (JobRequest) -> Int, dataFolder: URL,
    freeBytes: @escaping @Sendable (URL) -> Int? = FileManager.freeBytes(in:)
  ) {
    self.memory = memory
    self.dataFolder = dataFolder
    self.freeBytes = freeBytes
  }

  /// Reads headers and configuration only; takes milliseconds.
  ///
  /// - Throws: `Problem` that names the field to mend.
  public func plan(_ request: JobRequest, files: JobFiles) throws -> JobPlan {
    try describingProblems {
      try InputSizes.check(files, memory: memory(request))
      let options = QuantizationOptions(request.quantization)
      let rules = request.quantization.dynamic.map(ModuleRule.init)
      guard request.kind == .model else { return try planLayers(options, rules, file: files.model) }
      let quantizer = try ModelQuantizer(
        model: files.model, options: options, rules: rules, quantizesHead: request.quantization.lmHead)
      try checkLengths(request, quantizer.configuration)
      try checkNodes(request, quantizer.configuration)
      try checkTokenizer(request, files: files)
      let estimate = try estimate(request, quantizer)
      try checkDisk(estimate)
      return JobPlan(
        layers: quantizer.layers.map { LayerRecord($0) },
        warnings: Self.warnings(quantizer), estimate: estimate)
    }
  }

  /// - Throws: `Problem` that names the field to mend.
  public func check(_ request: JobRequest, configuration: [UInt8]) throws {
    try describingProblems {
      do {
        let configuration = try ModelConfiguration(JSONValue(parsing: configuration))
        try checkLengths(request, configuration)
        try checkNodes(request, configuration)
      } catch let error as JSONSyntaxError {
        throw ModelError.unreadableConfiguration(path: "config.json", reason: "it is not JSON: \(error)")
      }
    }
  }

  private func describingProblems<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let error as InputSizes.TooLarge {
      throw Problem(.memoryLimit, status: 422, title: "A file is too large", detail: "\(error)")
    } catch let error as QuantizationError where error.isMemoryLimit {
      throw Problem(.memoryLimit, status: 422, title: "The job needs more memory than it may use", detail: error.description)
    } catch let error as QuantizationError {
      throw Self.problem(.invalidRequest, at: Self.pointer(for: error), error.description)
    } catch let error as ModelError {
      throw Self.problem(.invalidModel, at: "/model", error.description)
    } catch let error as CheckpointError {
      throw Self.problem(.invalidModel, at: "/model", error.description)
    }
  }

  private func estimate(_ request: JobRequest, _ quantizer: ModelQuantizer) throws -> Job.Estimate {
    let length = request.calibration.map { $0.sequenceLength ?? min(2048, quantizer.configuration.maximumPositions) } ?? 0
    let samples = request.calibration.map { $0.samples ?? CalibrationData.defaultSamples } ?? 0
    let memory = try MemoryPlan(
      quantizer.configuration, plan: quantizer.plan, samples: samples, length: max(1, length), recovery: RecoveryPolicy(request),
      ranks: request.nodes ?? 1, limit: memory(request))
    let disk = try DiskEstimate(quantizer, spools: memory.diskBytes)
    return Job.Estimate(memoryBytes: memory.bytes, diskBytes: disk.peak, artifactBytes: disk.artifact)
  }

  private func checkDisk(_ estimate: Job.Estimate) throws(Problem) {
    guard let available = freeBytes(dataFolder), available < estimate.diskBytes else { return }
    throw Problem(
      .insufficientStorage, status: 507, title: "The disk has too little room for the job",
      detail: "it needs \(estimate.diskBytes) bytes below \(dataFolder.path), where \(available) are free; free "
        + "\(estimate.diskBytes - available) bytes, or set data.folder to another disk")
  }

  private func planLayers(_ options: QuantizationOptions, _ rules: [ModuleRule], file: URL) throws -> JobPlan {
    let layers = try LayerFile(file).layers
    let plan = try QuantizationPlan(options, rules: rules, modules: layers.map(\.name))
    for layer in layers { try plan[layer.name]?.check(layer: layer.name, outputs: layer.outputs, inputs: layer.inputs) }
    return JobPlan(layers: layers.map { LayerRecord($0) }, warnings: Self.warnings(plan))
  }

  private func checkNodes(_ request: JobRequest, _ configuration: ModelConfiguration) throws {
    guard let nodes = request.nodes, nodes > 1, configuration.experts != nil else { return }
    throw Self.problem(.invalidRequest, at: "/nodes", "must be 1 for a model with experts, is \(nodes); leave it out")
  }

  private func checkLengths(_ request: JobRequest, _ configuration: ModelConfiguration) throws {
    try checkLength(request.calibration?.sequenceLength, at: "/calibration/sequence_length", configuration)
    try checkLength(request.evaluation?.sequenceLength, at: "/evaluation/sequence_length", configuration)
  }

  private func checkLength(_ length: Int?, at pointer: String, _ configuration: ModelConfiguration) throws {
    guard let length, length > configuration.maximumPositions else { return }
    throw Self.problem(
      .invalidRequest, at: pointer, "is \(length), the model reads at most \(configuration.maximumPositions) tokens")
  }

  private func checkTokenizer(_ request: JobRequest, files: JobFiles) throws {
    guard request.calibration != nil || request.evaluation != nil else { return }
    do {
      _ = try ModelTokenizer.load(files.model)
    } catch {
      throw Self.problem(.invalidModel, at: "/model", "\(error)")
    }
  }

  private static func pointer(for error: QuantizationError) -> String {
    switch error {
    case .groupTooLarge: "/quantization/group_size"
    case .cannotPack: "/quantization/bits"
    case .invalidRule: "/quantization/dynamic"
    case .tiedHead: "/quantization/lm_head"
    default: "/model"
    }
  }

  private static func problem(_ code: Problem.Code, at pointer: String, _ detail: String) -> Problem {
    Problem(
      code, status: 422, title: "The job can't be done as asked", detail: detail, errors: [.init(pointer: pointer, detail: detail)])
  }

  /// What will work and surprise whoever serves the result.
  static func warnings(_ quantizer: ModelQuantizer) -> [String] {
    warnings(quantizer.plan) + ServingPreflight(quantizer.configuration, quantizer.plan).warnings
  }

  static func warnings(_ plan: QuantizationPlan) -> [String] {
    plan.idleRules.map { "the pattern \"\($0.pattern)\" of dynamic has no effect: it matches no module that another doesn't match first" }
  }
}

extension FileManager {
  /// Bytes that are free on a folder's disk; nil where the system doesn't tell.
  public static func freeBytes(in folder: URL) -> Int? {
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: folder.path)
    return (attributes?[.systemFreeSize] as? NSNumber)?.intValue
  }
}
