import Checkpoint
import Foundation
import Testing

@Suite struct CheckpointFolderFloatsTests {
  private static func checkpoint(_ folder: TemporaryFolder, _ info: TensorInfo, bytes: [UInt8]) throws -> CheckpointFolder {
    var writer = try SafetensorsWriter(folder.file("model.safetensors"), tensors: [info], metadata: [:])
    try bytes.withUnsafeBytes { try writer.write($0, of: info.name) }
    try writer.finish()
    return try CheckpointFolder(folder.url)
  }

  private static func checkpoint(_ folder: TemporaryFolder, _ type: ScalarType, shape: [Int], _ values: [Float]) throws -> CheckpointFolder
  {
    let info = TensorInfo(name: "w", type: type, shape: shape)
    var bytes = [UInt8](repeating: 0, count: info.byteCount)
    let known = values.withUnsafeBufferPointer { source in
      bytes.withUnsafeMutableBytes { Float16Conversion.narrow(source, to: type, into: $0) }
    }
    try #require(known)
    return try checkpoint(folder, info, bytes: bytes)
  }

  @Test("Rows of the first dimension", arguments: [ScalarType.float32, .float16, .bfloat16], [0..<4, 1..<3, 3..<4, 2..<2])
  func rows(_ type: ScalarType, _ rows: Range<Int>) throws {
    let folder = try TemporaryFolder()
    let values = (0..<24).map { Float($0) }
    let checkpoint = try Self.checkpoint(folder, type, shape: [4, 3, 2], values)
    var read = [Float](repeating: -1, count: rows.count * 6)
    try read.withUnsafeMutableBufferPointer { try checkpoint.readFloats("w", rows: rows, into: $0) }
    #expect(read == Array(values[rows.lowerBound * 6..<rows.upperBound * 6]))
  }

  @Test("Shapes of no dimension and of no elements", arguments: [([], 1), ([0], 0), ([0, 3], 0), ([3, 0], 0), ([1], 1)])
  func shapes(_ shape: [Int], _ count: Int) throws {
    let folder = try TemporaryFolder()
    let checkpoint = try Self.checkpoint(folder, .float16, shape: shape, [Float](repeating: 2, count: count))
    #expect(try checkpoint.floats("w") == [Float](repeating: 2, count: count))
    #expect(try checkpoint.firstNonFinite("w") == nil)
  }

  @Test("A tensor at an odd offset reads the same", arguments: [ScalarType.float32, .float16, .bfloat16])
  func oddOffset(_ type: ScalarType) throws {
    let folder = try TemporaryFolder()
    let end = 20 * type.byteCount
    var file = SafetensorsBytes(
      "{\(SafetensorsBytes.entry("w", dtype: "\"\(type.rawValue)\"", shape: "[20]", offsets: "[0, \(end)]"))}", dataSize: end)
    while (8 + file.header.utf8.count) % 2 == 0 { file.header += " " }
    file.data = (0..<20).flatMap { _ in type == .float16 ? [0, 0x3C] : type == .bfloat16 ? [0x80, 0x3F] : [0, 0, 0x80, 0x3F] }
    try folder.write(file.bytes, to: "model.safetensors")
    let checkpoint = try CheckpointFolder(folder.url)
    #expect(try checkpoint.floats("w") == [Float](repeating: 1, count: 20))
    #expect(try checkpoint.firstNonFinite("w") == nil)
  }

  @Test("Integers and wide floats aren't weights", arguments: [ScalarType.int32, .float64, .uint8, .float8E4M3])
  func otherTypes(_ type: ScalarType) throws {
    let folder = try TemporaryFolder()
    let info = TensorInfo(name: "w", type: type, shape: [2])
    let checkpoint = try Self.checkpoint(folder, info, bytes: [UInt8](repeating: 1, count: info.byteCount))
    #expect(throws: CheckpointError.notFloatingPoint(tensor: "w", type: type)) { try checkpoint.floats("w") }
  }

  @Test("The first NaN or infinity is found", arguments: [ScalarType.float32, .float16, .bfloat16], [0, 1, 4095, 4096, 8192, 9999])
  func firstNonFinite(_ type: ScalarType, _ position: Int) throws {
    for value in [Float.nan, -.nan, .infinity, -.infinity, .signalingNaN] {
      let folder = try TemporaryFolder()
      var values = [Float](repeating: type == .float16 ? -65504 : -3e38, count: 10_000)
      values[position] = value
      values[9999] = .nan
      #expect(try Self.checkpoint(folder, type, shape: [100, 100], values).firstNonFinite("w") == position)
    }
  }

  @Test(
    "Patterns of other types that are NaN or infinite",
    arguments: [
      (ScalarType.float8E5M2, [0x7B, 0xFC], 1), (.float8E5M2, [0x7B, 0xFB], nil), (.float8E4M3, [0x7E, 0xFF], 1),
      (.float8E4M3, [0x7E, 0xFE], nil), (.uint8, [0xFF, 0xFF], nil), (.int16, [0xFF, 0x7F], nil),
      (.float64, [0, 0, 0, 0, 0, 0, 0xF0, 0xFF], 0), (.float64, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xEF, 0x7F], nil),
    ] as [(ScalarType, [UInt8], Int?)])
  func patterns(_ type: ScalarType, _ bytes: [UInt8], _ position: Int?) throws {
    let folder = try TemporaryFolder()
    let info = TensorInfo(name: "w", type: type, shape: [bytes.count / type.byteCount])
    #expect(try Self.checkpoint(folder, info, bytes: bytes).firstNonFinite("w") == position)
  }
}
