import Checkpoint
import Foundation
import LinearAlgebra
import StrictJSON
import Transformer

/// A GPTQ checkpoint read bit by bit from what its config.json says of it, sharing nothing with the code that wrote it.
///
/// The format is that of AutoGPTQ: `qweight` and `qzeros` are little-endian bit streams, down the columns and along the rows, of
/// int32 words; weight = scale·(code − zero), where format `gptq` stores zero − 1.
struct IndependentReader: TensorSource {
  private let folder: CheckpointFolder
  private let settings: JSONValue
  private let zeroOffset: Int

  init(_ folder: URL) throws {
    self.folder = try CheckpointFolder(folder)
    let json = try JSONValue(parsing: Array(Data(contentsOf: folder.appending(component: "config.json"))))
    settings = json["quantization_config"] ?? .null
    zeroOffset = settings["checkpoint_format"]?.stringValue == "gptq" ? 1 : 0
  }

  /// vLLM's `get_dynamic_override`: the first pattern that matches from the start of the name.
  ///
  /// - Returns: nil: the module isn't quantized.
  func options(of module: String) throws -> JSONObject? {
    for (pattern, options) in settings["dynamic"]?.objectValue?.members.map({ ($0.key, $0.value) }) ?? [] {
      let expression = pattern.hasPrefix("-:") || pattern.hasPrefix("+:") ? String(pattern.dropFirst(2)) : pattern
      guard try Regex(expression).prefixMatch(in: module) != nil else { continue }
      return pattern.hasPrefix("-:") ? nil : options.objectValue
    }
    return [:]
  }

  private func bits(of module: String) throws -> Int { try (options(of: module)?["bits"] ?? settings["bits"])?.intValue ?? 0 }

  func contains(_ name: String) -> Bool { folder.contains(name) || folder.contains(module(name) + ".qweight") }

  func shape(of name: String) throws -> [Int] {
    guard !folder.contains(name) else { return try folder.info(name).shape }
    let packed = try folder.info(module(name) + ".qweight").shape
    return [packed[1], packed[0] * 32 / (try bits(of: module(name)))]
  }

  func readRows(_ rows: Range<Int>, of name: String, into buffer: UnsafeMutableBufferPointer<Float>) throws {
    guard !folder.contains(name) else { return try folder.readRows(rows, of: name, into: buffer) }
    let shape = try shape(of: name)
    let (outputs, inputs) = (shape[0], shape[1])
    let module = module(name)
    let bits = try bits(of: module)
    let codes: [UInt32] = try values(module + ".qweight")
    let zeros: [UInt32] = try values(module + ".qzeros")
    let scales: [Float16] = try values(module + ".scales")
    let groups: [Int32] = try values(module + ".g_idx")
    var index = 0
    for row in rows {
      for column in 0..<inputs {
        let group = Int(groups[column])
        // Words of a column of qweight are `outputs` apart; those of a row of qzeros follow each other.
        let code = Self.field(column, bits) { codes[$0 * outputs + row] }
        let zero = Self.field(row, bits) { zeros[group * outputs * bits / 32 + $0] } + zeroOffset
        buffer[index] = Float(scales[group * outputs + row]) * Float(code - zero)
        index += 1
      }
    }
  }

  /// The number at a position of a bit stream.
  private static func field(_ position: Int, _ bits: Int, _ word: (Int) -> UInt32) -> Int {
    (0..<bits).reduce(0) { value, bit in
      let place = position * bits + bit
      return value | Int(word(place / 32) >> UInt32(place % 32) & 1) << bit
    }
  }

  private func module(_ name: String) -> String { String(name.dropLast(name.hasSuffix(".weight") ? ".weight".count : 0)) }

  private func values<Value: BitwiseCopyable>(_ name: String) throws -> [Value] {
    try folder.withBytes(of: name) { bytes in
      stride(from: 0, to: bytes.count, by: MemoryLayout<Value>.stride).map { bytes.loadUnaligned(fromByteOffset: $0, as: Value.self) }
    }
  }
}
