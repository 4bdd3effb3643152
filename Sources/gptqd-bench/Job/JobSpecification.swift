import Foundation
import Quantization

/// What a measured job does; given to the process that does it.
struct JobSpecification: Codable, Sendable {
  /// Checkpoint folder.
  var model: URL
  /// JSON Lines of `input_ids`; nil: random tokens.
  var tokens: URL?
  var samples: Int
  /// Tokens of a sequence.
  var length: Int
  var seed: UInt64
  var bits: Int
  /// nil: all input channels.
  var groupSize: Int?
  var searchesScales: Bool
  var refinesScales: Bool
  /// α; 0: no compensation.
  var errorCompensation: Double
  /// Bytes that may be resident; nil: as many as it takes.
  var memoryLimit: Int?

  var options: QuantizationOptions {
    QuantizationOptions(
      bits: bits, groupSize: groupSize, searchesScales: searchesScales, refinesScales: refinesScales, errorCompensation: errorCompensation)
  }

  /// Opens what the job needs, before anything is measured.
  ///
  /// - Throws: `ModelError`, `CheckpointError`, `QuantizationError`, `DatasetError`.
  func check() throws {
    _ = try ModelQuantizer(model: model, options: options)
    if let tokens { _ = try TextDataset(contentsOf: tokens) }
  }

  /// Such as "8 × 2048 tokens, 4 bits, group 128, with compensation, search, refinement".
  var summary: String {
    let steps = [(errorCompensation > 0, "compensation"), (searchesScales, "search"), (refinesScales, "refinement")]
    let names = steps.filter(\.0).map(\.1)
    return "\(samples) × \(length) tokens, \(bits) bits, group \(groupSize.map(String.init) ?? "of all channels"), "
      + (names.isEmpty ? "plain" : "with " + names.joined(separator: ", "))
  }
}
