import Checkpoint
import Foundation
import StrictJSON
import Transformer

/// A checkpoint of random weights that a seed decides, in memory or written to a folder.
///
/// Linears have deviation 1/√inputs, so that activations keep the size of their inputs; norms are 1.
struct RandomCheckpoint: Sendable {
  private struct Tensor: Sendable {
    let name: String
    let shape: [Int]
    /// nil: all values are 1.
    let deviation: Float?

    var rows: Int { shape[0] }
    var columns: Int { shape.count > 1 ? shape[1] : 1 }
  }

  private let json: JSONValue
  private let seed: UInt64
  private let tensors: [Tensor]
  /// Position in `tensors`.
  private let positions: [String: Int]

  /// - Throws: `ModelError` where the sizes don't fit together.
  init(_ shape: ModelShape, seed: UInt64) throws {
    let configuration = try shape.configuration()
    let architecture = configuration.architecture
    let (hidden, vocabulary) = (configuration.hiddenSize, configuration.vocabularySize)
    func norm(_ name: String) -> Tensor { Tensor(name: name, shape: [hidden], deviation: nil) }
    var tensors = [Tensor(name: architecture.embedding, shape: [vocabulary, hidden], deviation: 1)]
    for block in 0..<configuration.blockCount {
      let prefix = architecture.blockPrefix(block)
      tensors += [norm(prefix + architecture.attentionNorm), norm(prefix + architecture.mlpNorm)]
      for linear in configuration.linears(ofBlock: block) {
        tensors.append(
          Tensor(name: linear.weight, shape: [linear.outputs, linear.inputs], deviation: 1 / Float(linear.inputs).squareRoot()))
        guard linear.hasBias else { continue }
        tensors.append(Tensor(name: linear.bias, shape: [linear.outputs], deviation: 0.1))
      }
    }
    tensors += [
      norm(architecture.finalNorm),
      Tensor(name: architecture.outputHead, shape: [vocabulary, hidden], deviation: 1 / Float(hidden).squareRoot()),
    ]
    self.json = shape.json
    self.seed = seed
    self.tensors = tensors
    positions = Dictionary(uniqueKeysWithValues: tensors.enumerated().map { ($1.name, $0) })
  }

  /// Values of some rows, whichever others are asked for.
  private func fill(_ values: inout MutableSpan<Float>, rows: Range<Int>, of position: Int) {
    let tensor = tensors[position]
    for (index, row) in rows.enumerated() {
      let indices = index * tensor.columns..<(index + 1) * tensor.columns
      guard let deviation = tensor.deviation else {
        for index in indices { values[index] = 1 }
        continue
      }
      var stream = RandomStream(seed: seed &+ UInt64(position), part: row)
      stream.fill(indices, of: &values, deviation: deviation)
    }
  }

  /// Bytes of the weights as bfloat16.
  var byteCount: Int { tensors.reduce(0) { $0 + 2 * $1.rows * $1.columns } }

  /// Writes `config.json` and `model.safetensors` in bfloat16; makes the folder.
  func write(to folder: URL) throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    try DurableFile.write(Data((json.serialized(indent: 2) + "\n").utf8), to: folder.appending(component: "config.json"))
    var writer = try SafetensorsWriter(
      folder.appending(component: "model.safetensors"),
      tensors: tensors.map { TensorInfo(name: $0.name, type: .bfloat16, shape: $0.shape) }, metadata: ["format": "pt"])
    for position in tensors.indices { try write(position, to: &writer) }
    try writer.finish()
  }

  private func write(_ position: Int, to writer: inout SafetensorsWriter) throws {
    let tensor = tensors[position]
    let rowsAtOnce = max(1, (1 << 18) / tensor.columns)
    for start in stride(from: 0, to: tensor.rows, by: rowsAtOnce) {
      let rows = start..<min(tensor.rows, start + rowsAtOnce)
      var values = [Float](repeating: 0, count: rows.count * tensor.columns)
      var span = values.mutableSpan
      fill(&span, rows: rows, of: position)
      let rounded = values.map { UInt16(truncatingIfNeeded: ($0.bitPattern + 0x8000) >> 16).littleEndian }
      // unsafe: the bytes are only read, inside the closure
      try unsafe rounded.withUnsafeBytes { try unsafe writer.write($0, of: tensor.name) }
    }
  }
}

extension RandomCheckpoint: TensorSource {
  private func position(of name: String) throws -> Int {
    guard let position = positions[name] else { throw CheckpointError.missingTensor(name) }
    return position
  }

  func contains(_ name: String) -> Bool { positions[name] != nil }
  func shape(of name: String) throws -> [Int] { tensors[try position(of: name)].shape }

  func readRows(_ rows: Range<Int>, of name: String, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    // unsafe: the buffer is valid during the call, and its span doesn't outlive it
    var span = unsafe buffer.mutableSpan
    fill(&span, rows: rows, of: try position(of: name))
  }
}
