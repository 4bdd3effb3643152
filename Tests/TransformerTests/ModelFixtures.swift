import Checkpoint
import Foundation
import LinearAlgebra
import Testing

/// Tiny checkpoints and reference values.
enum ModelFixtures {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/models")

  /// Largest difference between what was computed and a tensor of a file; NaN if there is one.
  static func difference(_ found: Matrix<Float>, _ name: String, _ expected: SafetensorsFile) throws -> Float {
    let expected: [Float] = try values(name, of: expected)
    try #require(expected.count == found.elements.count)
    return zip(found.elements, expected).map { abs($0 - $1) }.reduce(0) { $1 > $0 || $1.isNaN ? $1 : $0 }
  }

  static func values<Value: BitwiseCopyable>(_ name: String, of file: SafetensorsFile) throws -> [Value] {
    try file.withBytes(of: name) { bytes in
      stride(from: 0, to: bytes.count, by: MemoryLayout<Value>.stride).map { bytes.loadUnaligned(fromByteOffset: $0, as: Value.self) }
    }
  }
}
