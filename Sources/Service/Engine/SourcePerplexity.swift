import Checkpoint
import Foundation
import Quantization

/// The perplexity of the source checkpoint, kept beside finished blocks, so that another start of a job doesn't measure it again.
struct SourcePerplexity {
  /// In the folder of blocks.
  let folder: URL
  /// Fingerprint of what it depends on.
  let key: String

  private struct Record: Codable {
    let key: String
    let perplexity: Perplexity
  }

  private var file: URL { folder.appending(component: "perplexity.json") }

  /// nil where none of the same model and data is kept.
  var kept: Perplexity? {
    let record = (try? Data(contentsOf: file)).flatMap { try? JSONDecoder().decode(Record.self, from: $0) }
    return record?.key == key ? record?.perplexity : nil
  }

  /// Does nothing where there is no room, or no number.
  func keep(_ perplexity: Perplexity) {
    guard let record = try? JSONEncoder().encode(Record(key: key, perplexity: perplexity)) else { return }
    try? DurableFile.write(record, to: file)
  }
}
