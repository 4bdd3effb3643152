import Foundation
import Tokenization

/// The tokenizer of a model folder.
enum ModelTokenizer {
  /// - Returns: nil where the folder has no tokenizer.json; rows of token ids work without.
  static func load(_ model: URL) throws -> Tokenizer? {
    let file = model.appending(component: "tokenizer.json")
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    return try Tokenizer(contentsOf: file)
  }
}
