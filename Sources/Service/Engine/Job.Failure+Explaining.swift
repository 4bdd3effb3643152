import Checkpoint
import JobModel
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
    case let error as CheckpointError:
      self.init(code: "invalid_model", detail: error.description)
    case let error as Job.Failure: self = error
    default: return nil
    }
  }

  private init(_ error: QuantizationError) {
    switch error {
    case .nonFiniteWeight:
      self.init(code: "non_finite_weight", detail: error.description)
    case .nonFiniteInput(let layer, _, _, _):
      self.init(
        code: "non_finite_input", layer: layer, cause: .nonFiniteInput, detail: error.description,
        advice: "Damping can't cure this. Look at that calibration row, or at the weights of the layers before.")
    case .notPositiveDefinite(let layer, _, let tokens, let columns, _):
      self.init(
        code: "not_positive_definite", layer: layer, cause: .incurable, detail: error.description,
        advice: tokens < 2 * columns
          ? "There are few tokens for \(columns) columns: give more or longer calibration sequences."
          : "The calibration inputs lack directions even with damping: give more varied calibration text.")
    case .scaleOverflow(let layer, _), .nonFiniteResult(let layer):
      self.init(code: "overflow", layer: layer, detail: error.description)
    case .groupTooLarge(let layer, _, _), .cannotPack(let layer, _, _, _):
      self.init(code: "invalid_request", layer: layer, detail: error.description)
    }
  }
}
