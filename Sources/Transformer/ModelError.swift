/// What is wrong with a model's configuration, or doesn't fit between it and the tensors.
public enum ModelError: Error, Hashable, Sendable, CustomStringConvertible {
  case unreadableConfiguration(path: String, reason: String)
  case missingField(String)
  case invalidField(String, expected: String, found: String)
  case unknownModelType(String, known: [String])
  /// A feature that the model's architecture can have and that isn't computed.
  case unsupported(field: String, value: String, advice: String)
  case wrongShape(tensor: String, expected: [Int], found: [Int])
  /// The weights can't hold all linears that the configuration describes.
  case tooFewTensors(linears: Int, tensors: Int)
  case tokenOutOfRange(token: Int, vocabularySize: Int)

  public var description: String {
    switch self {
    case .unreadableConfiguration(let path, let reason):
      "the model's \(path) can't be used: \(reason)"
    case .missingField(let field):
      "config.json has no \(field); it doesn't describe a complete model"
    case .invalidField(let field, let expected, let found):
      "config.json: \(field) must be \(expected), is \(found)"
    case .unknownModelType(let type, let known):
      "config.json: model_type \"\(type)\" is not supported; supported are \(known.joined(separator: ", "))"
    case .unsupported(let field, let value, let advice):
      "config.json: \(field) \(value) is not supported: \(advice)"
    case .wrongShape(let tensor, let expected, let found):
      "tensor \(tensor) has shape \(found), config.json asks for \(expected); the files are of different models"
    case .tooFewTensors(let linears, let tensors):
      "config.json describes \(linears) linears, the weights hold \(tensors) tensors; the files are of different models"
    case .tokenOutOfRange(let token, let vocabularySize):
      "token id \(token) is outside the model's vocabulary of \(vocabularySize); the data was made for another tokenizer"
    }
  }
}
