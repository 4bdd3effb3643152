import Checkpoint
import Foundation
import Testing

@Suite struct SafetensorsWriterTests {
  /// What python's `safetensors.numpy.save({"a": float32 [[1, -2]], "b": int32 7}, {"format": "pt"})` gives, version 0.8.0.
  static let reference = Data(
    base64Encoded: "kAAAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJhIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOlsxLDJdLCJkYXRhX29mZnNldHMi"
      + "OlswLDhdfSwiYiI6eyJkdHlwZSI6IkkzMiIsInNoYXBlIjpbXSwiZGF0YV9vZmZzZXRzIjpbOCwxMl19fSAgICAAAIA/AAAAwAcAAAA=")

  private static func write(
    _ tensors: [(info: TensorInfo, bytes: [UInt8])], metadata: [String: String] = [:], to file: URL
  ) throws {
    var writer = try SafetensorsWriter(file, tensors: tensors.map(\.info), metadata: metadata)
    for tensor in tensors { try tensor.bytes.withUnsafeBytes { try writer.write($0, of: tensor.info.name) } }
    try writer.finish()
  }

  @Test("The bytes are those of the reference writer")
  func reference() throws {
    let folder = try TemporaryFolder()
    let file = folder.file("a.safetensors")
    try Self.write(
      [
        (TensorInfo(name: "a", type: .float32, shape: [1, 2]), [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0]),
        (TensorInfo(name: "b", type: .int32, shape: []), [7, 0, 0, 0]),
      ], metadata: ["format": "pt"], to: file)
    #expect(try Data(contentsOf: file) == Self.reference)
  }

  @Test("Every type comes back as written", arguments: ScalarType.allCases)
  func roundTrip(_ type: ScalarType) throws {
    let folder = try TemporaryFolder()
    let file = folder.file("a.safetensors")
    let infos = [[3, 2], [], [0, 4], [5]].enumerated().map { TensorInfo(name: "t\($0)", type: type, shape: $1) }
    let tensors = infos.enumerated().map { index, info in
      (info: info, bytes: (0..<info.byteCount).map { UInt8(truncatingIfNeeded: $0 * 37 + index) })
    }
    try Self.write(tensors, to: file)
    let read = try SafetensorsFile(file)
    #expect(read.tensors == infos)
    #expect(read.metadata.isEmpty)
    for (info, bytes) in tensors { #expect(try read.withBytes(of: info.name) { Array($0) } == bytes) }
  }

  @Test("Data starts at a multiple of 8, whatever the header's length", arguments: 0..<8)
  func alignment(_ padding: Int) throws {
    let folder = try TemporaryFolder()
    let file = folder.file("a.safetensors")
    let name = "a" + String(repeating: "x", count: padding)
    try Self.write([(TensorInfo(name: name, type: .uint8, shape: [1]), [9])], to: file)
    let bytes = Array(try Data(contentsOf: file))
    #expect((bytes.count - 1) % 8 == 0)
    #expect(Int(bytes[0]) == bytes.count - 1 - 8)
    #expect(try SafetensorsFile(file).withBytes(of: name) { Array($0) } == [9])
  }

  @Test("The same tensors give the same bytes, in one piece or in many")
  func determinism() throws {
    let folder = try TemporaryFolder()
    let metadata = Dictionary(uniqueKeysWithValues: (0..<50).map { ("key \($0)", "\u{1}\"é\n\($0)") })
    let info = TensorInfo(name: "é\"\\", type: .int32, shape: [4])
    let bytes = (0..<16).map { UInt8($0) }
    try Self.write([(info, bytes)], metadata: metadata, to: folder.file("whole"))
    var writer = try SafetensorsWriter(folder.file("pieces"), tensors: [info], metadata: metadata)
    for piece in [0..<1, 1..<1, 1..<11, 11..<16] {
      try bytes[piece].withUnsafeBytes { try writer.write($0, of: info.name) }
    }
    try writer.finish()
    #expect(try Data(contentsOf: folder.file("whole")) == Data(contentsOf: folder.file("pieces")))
    #expect(try SafetensorsFile(folder.file("whole")).metadata == metadata)
  }

  @Test("Names that differ only in their Unicode composition are two tensors")
  func exactNames() throws {
    let folder = try TemporaryFolder()
    let composed = TensorInfo(name: "\u{E9}", type: .uint8, shape: [1])
    let decomposed = TensorInfo(name: "e\u{301}", type: .uint8, shape: [1])
    try Self.write([(composed, [1]), (decomposed, [2])], to: folder.file("a.safetensors"))
    let read = try SafetensorsFile(folder.file("a.safetensors"))
    #expect(try read.withBytes(of: composed.name) { Array($0) } == [1])
    #expect(try read.withBytes(of: decomposed.name) { Array($0) } == [2])
  }

  @Test("A tensor out of order, unknown, too long or too short is refused")
  func order() throws {
    let folder = try TemporaryFolder()
    let infos = ["a", "b"].map { TensorInfo(name: $0, type: .uint8, shape: [2]) }
    var writer = try SafetensorsWriter(folder.file("x"), tensors: infos, metadata: [:])
    func write(_ count: Int, of name: String) throws {
      try [UInt8](repeating: 1, count: count).withUnsafeBytes { try writer.write($0, of: name) }
    }
    #expect(throws: CheckpointError.wrongTensor(expected: "a", found: "b")) { try write(2, of: "b") }
    #expect(throws: CheckpointError.wrongByteCount(tensor: "a", expected: 2, found: 3)) { try write(3, of: "a") }
    try write(1, of: "a")
    #expect(throws: CheckpointError.wrongTensor(expected: "a", found: "b")) { try write(2, of: "b") }
    #expect(throws: CheckpointError.wrongByteCount(tensor: "a", expected: 2, found: 1)) { try writer.finish() }
    try write(1, of: "a")
    #expect(throws: CheckpointError.wrongByteCount(tensor: "a", expected: 2, found: 3)) { try write(1, of: "a") }
    #expect(throws: CheckpointError.wrongTensor(expected: "b", found: "c")) { try write(2, of: "c") }
    try write(2, of: "b")
    try writer.finish()
    #expect(throws: CheckpointError.wrongTensor(expected: nil, found: "b")) { try write(1, of: "b") }
    #expect(try SafetensorsFile(folder.file("x")).tensors == infos)
  }

  @Test(
    "A declaration that no reader would take is refused, and the file left alone",
    arguments: [
      (["a", "b", "a"], "tensor a was declared twice"), (["__metadata__"], "a tensor can't be named __metadata__"),
    ])
  func declarations(_ names: [String], _ reason: String) throws {
    let folder = try TemporaryFolder()
    let file = try folder.write([1, 2, 3], to: "x")
    #expect(throws: CheckpointError.cannotWrite(file: "x", reason: reason)) {
      try SafetensorsWriter(file, tensors: names.map { TensorInfo(name: $0, type: .uint8, shape: [1]) }, metadata: [:])
    }
    #expect(try Data(contentsOf: file) == Data([1, 2, 3]))
  }

  @Test("A folder that isn't there and a full device are errors")
  func unwritable() throws {
    let info = TensorInfo(name: "a", type: .uint8, shape: [1])
    #expect(throws: CheckpointError.cannotWrite(file: "x", reason: "No such file or directory")) {
      try SafetensorsWriter(URL(filePath: "/nonexistent/x"), tensors: [info], metadata: [:])
    }
    #expect(throws: CheckpointError.self) { try SafetensorsWriter(URL(filePath: "/dev/full"), tensors: [info], metadata: [:]) }
  }
}
