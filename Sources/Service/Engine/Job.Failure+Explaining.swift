import Checkpoint
import Foundation
import JobModel
import JobStore
import Quantization
import Tokenization
import Transformer

extension Job.Failure {
  /// What to tell the job's owner about an error of the engine; nil for one that isn't the engine's.
  init?(explaining error: any Error) {
    switch error {
    case let error as QuantizationError: self.init(error)
    case let error as DatasetError:
      self.init(code: "invalid_dataset", detail: error.description, advice: "Mend the dataset and submit the job again.")
    case let error as TokenizerError:
      self.init(code: "invalid_tokenizer", detail: error.description, advice: "Check the model's tokenizer.json.")
    case let error as ModelError:
      self.init(code: "invalid_model", detail: error.description)
    case let error as CheckpointError: self.init(error)
    case let error as InputSizes.TooLarge: self.init(code: "memory_limit", detail: "\(error)", advice: "Then gptqctl retry.")
    case let error as JobStoreError: self.init(error)
    case let error as Job.Failure: self = error
    default:
      guard let code = error.posixCode else { return nil }
      self.init(code)
    }
  }

  private init(_ error: CheckpointError) {
    switch error {
    case .diskFull: self.init(.ENOSPC, detail: error.description)
    case .tooManyOpenFiles: self.init(.EMFILE, detail: error.description)
    case .cannotWrite: self.init(code: "io_error", detail: error.description, advice: Self.adviceOfIO)
    default: self.init(code: "invalid_model", detail: error.description)
    }
  }

  private init?(_ error: JobStoreError) {
    switch error {
    case .diskFull: self.init(.ENOSPC, detail: "\(error)")
    case .unwritable, .unusable, .notADatabase: self.init(code: "io_error", detail: "\(error)", advice: Self.adviceOfIO)
    default: return nil
    }
  }

  private static let adviceOfIO =
    "Free space if the disk of data.folder is full; look for its faults in the system's log, and at "
    + "permissions; then gptqctl retry."

  /// - Parameter detail: nil: as the system says it.
  private init(_ code: POSIXErrorCode, detail: String? = nil) {
    let detail = detail ?? POSIXError(code).reason
    switch code {
    case .ENOSPC, .EDQUOT:
      self.init(
        code: "insufficient_storage", detail: detail,
        advice: "Free space on the disk of data.folder (jobs that are no longer needed: gptqctl delete; the job's estimate says how "
          + "much it takes), then gptqctl retry: it goes on from its last finished block.")
    case .EMFILE, .ENFILE:
      self.init(
        code: "too_many_open_files", detail: detail,
        advice: "Raise the limit of open files (ulimit -n, LimitNOFILE= of the service) or lower http.max_connections, then gptqctl retry.")
    case .ENOMEM:
      self.init(
        code: "out_of_memory", detail: detail, advice: "Lower compute.memory_limit or free memory, then gptqctl retry.")
    default: self.init(code: "io_error", detail: detail, advice: Self.adviceOfIO)
    }
  }

  private init(_ error: QuantizationError) {
    switch error {
    case .nonFiniteWeight:
      self.init(code: "non_finite_weight", cause: .nonFiniteInput, detail: error.description, advice: "Get the checkpoint again.")
    case .nonFiniteTensor:
      self.init(
        code: "non_finite_input", cause: .nonFiniteInput, detail: error.description,
        advice: "Damping can't cure this. Capture the layer again, in float32, without the sample that overflowed.")
    case .nonFiniteActivation(_, let layer, _, _):
      self.init(
        code: "non_finite_input", layer: layer, cause: .nonFiniteInput, detail: error.description,
        tried: "dropping samples, as long as they are at most 1 % of all",
        advice: "Damping can't cure this, nor more samples: the activations are computed in float32 already. Look at the calibration rows "
          + "named, and at the weights of that operation, which are far from those of a trained model.")
    case .notPositiveDefinite(let layer, let columns, let attempts):
      self.init(
        code: "not_positive_definite", layer: layer, cause: attempts.last.map { AttemptRecord.Cause($0.cause ?? .incurable) },
        detail: error.description, tried: Self.summary(attempts), advice: Self.advice(columns: columns, attempts))
    case .scaleOverflow(let layer, _), .nonFiniteResult(let layer):
      self.init(code: "overflow", layer: layer, detail: error.description)
    case .groupTooLarge(let layer, _, _), .cannotPack(let layer, _, _, _):
      self.init(code: "invalid_request", layer: layer, detail: error.description)
    case .invalidRule, .tiedHead, .needsOneRank:
      self.init(code: "invalid_request", detail: error.description)
    case .memoryLimit:
      self.init(code: "memory_limit", detail: error.description, advice: "Raise compute.memory_limit, then gptqctl retry.")
    case .ranksDiffer:
      self.init(code: "ranks_differ", detail: error.description, advice: "Let the job's processes run on machines of one kind.")
    case .invalidLayerFile:
      self.init(code: "invalid_model", detail: error.description)
    }
  }

  /// Such as "more samples up to 4096 tokens; float32 with damping 0.01; float64 with damping 0.01, 0.02".
  private static func summary(_ attempts: [Attempt]) -> String {
    var parts: [String] = []
    let escalated = attempts.contains { $0.remedy == .moreSamples }
    if escalated, let last = attempts.last { parts.append("more calibration samples, up to \(last.tokens) tokens") }
    for precision in [Attempt.Precision.float32, .float64] {
      let dampings = attempts.filter { $0.detail == nil && $0.precision == precision }.map { "\($0.damping)" }
      if !dampings.isEmpty { parts.append("\(precision.rawValue) with damping \(dampings.joined(separator: ", "))") }
    }
    return parts.joined(separator: "; ")
  }

  /// The four classic remedies, as far as they apply.
  private static func advice(columns: Int, _ attempts: [Attempt]) -> String {
    let tokens = attempts.last?.tokens ?? 0
    var parts: [String] = []
    if tokens == 0 {
      parts.append("More samples: how many tokens the Hessian was made of isn't known; fewer than \(2 * columns) are few.")
    } else if tokens < 2 * columns {
      parts.append(
        "More samples: \(tokens) tokens for \(columns) columns are few; give more or longer calibration sequences, "
          + "and let recovery.escalate_samples use them.")
    }
    parts.append("Better data: inputs that lack directions come from calibration text that is all alike; mix its sources.")
    parts.append("More damping doesn't help: the whole ladder up to \(attempts.map(\.damping).max() ?? 1) was tried, in float64 too.")
    parts.append("Or retry with recovery.on_exhausted \"rtn\" or \"keep\", which leaves this layer worse or larger, and says so.")
    return parts.joined(separator: " ")
  }
}
