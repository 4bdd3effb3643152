import Checkpoint
import Foundation
import Testing

@Suite struct HostileHeaderTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let error: CheckpointError

    init(_ what: String, _ file: SafetensorsBytes, _ error: CheckpointError) { self.init(what, file.bytes, error) }

    init(_ what: String, _ bytes: [UInt8], _ error: CheckpointError) {
      testDescription = what
      self.bytes = bytes
      self.error = error
    }

    /// A header of the one tensor "a" over 8 bytes of data.
    static func tensor(
      dtype: String = "\"F32\"", shape: String = "[2]", offsets: String = "[0, 8]", dataSize: Int = 8, _ reason: String
    ) -> Case {
      Case(
        "dtype \(dtype), shape \(shape), data_offsets \(offsets), \(dataSize) bytes",
        SafetensorsBytes("{\(SafetensorsBytes.entry(dtype: dtype, shape: shape, offsets: offsets))}", dataSize: dataSize),
        .invalidTensor(file: file, tensor: "a", reason: reason))
    }

    static func header(_ header: String, _ reason: String) -> Case {
      Case(String(header.prefix(60)), SafetensorsBytes(header, dataSize: 8), .invalidHeader(file: file, reason: reason))
    }
  }

  static let file = "model.safetensors"

  @Test(
    "A length that can't be is refused",
    arguments: [
      Case("empty file", [], .tooShort(file: file, bytes: 0)),
      Case("7 bytes", [UInt8](repeating: 0, count: 7), .tooShort(file: file, bytes: 7)),
      Case(
        "header longer than the file", SafetensorsBytes("{}", announcedLength: 3), .headerTooLong(file: file, headerBytes: 3, fileBytes: 10)
      ),
      Case(
        "header beyond the format's limit", SafetensorsBytes("{}", announcedLength: 100_000_001),
        .headerTooLong(file: file, headerBytes: 100_000_001, fileBytes: 10)),
      Case(
        "header of 2^63 bytes", SafetensorsBytes("{}", announcedLength: 1 << 63),
        .headerTooLong(file: file, headerBytes: 1 << 63, fileBytes: 10)),
      Case(
        "header of 2^64 - 1 bytes", SafetensorsBytes("{}", announcedLength: .max),
        .headerTooLong(file: file, headerBytes: .max, fileBytes: 10)),
      Case(
        "header of no bytes", SafetensorsBytes(""),
        .invalidHeader(file: file, reason: "not valid JSON at line 1, column 1: the text ends where a value should be")),
    ])
  func length(_ hostile: Case) throws { try expectError(hostile) }

  @Test(
    "A header that isn't an object of tensors is refused",
    arguments: [
      Case.header("{\"a\": }", "not valid JSON at line 1, column 7: a value should be here"),
      Case.header("{\n\"a\" 1}", "not valid JSON at line 2, column 5: expected : after a member name"),
      Case.header("<!DOCTYPE html>", "not valid JSON at line 1, column 1: a value should be here"),
      Case.header("[]", "an array, not an object"),
      Case.header("null", "null, not an object"),
      Case.header("\"{}\"", "a string, not an object"),
      Case.header(String(repeating: "[", count: 100_000), "not valid JSON at line 1, column 9: nested deeper than 8 levels"),
      Case.header(
        "{\(SafetensorsBytes.entry()), \(SafetensorsBytes.entry())}",
        "not valid JSON at line 1, column 63: the member \"a\" appears twice"),
      Case.header(
        "{\"__metadata__\": {}, \"__metadata__\": {}}", "not valid JSON at line 1, column 22: the member \"__metadata__\" appears twice"),
      Case.header("{\"__metadata__\": []}", "wrong: __metadata__ is an array, not an object"),
      Case.header("{\"__metadata__\": {\"step\": 7}}", "wrong: __metadata__ step is an integer, not a string"),
      Case.header("{\"__metadata__\": {\"x\": null}}", "wrong: __metadata__ x is null, not a string"),
    ])
  func json(_ hostile: Case) throws { try expectError(hostile) }

  @Test(
    "A tensor that can't be is refused",
    arguments: [
      Case(
        "a number for a tensor", SafetensorsBytes("{\"a\": 1}"),
        .invalidTensor(file: file, tensor: "a", reason: "is an integer, not an object")),
      Case.tensor(dtype: "null", "has no dtype"),
      Case.tensor(dtype: "\"F31\"", "has the unknown dtype F31"),
      Case.tensor(dtype: "\"f32\"", "has the unknown dtype f32"),
      Case.tensor(dtype: "\"F4\"", "has the unknown dtype F4"),
      Case.tensor(shape: "2", "has no shape"),
      Case.tensor(shape: "[-2]", "has a shape that isn't of whole sizes"),
      Case.tensor(shape: "[-1, -2]", "has a shape that isn't of whole sizes"),
      Case.tensor(shape: "[1.5]", "has a shape that isn't of whole sizes"),
      Case.tensor(shape: "[\"2\"]", "has a shape that isn't of whole sizes"),
      Case.tensor(shape: "[18446744073709551618]", "has a shape that isn't of whole sizes"),
      Case.tensor(shape: "[9223372036854775807]", "has a shape too large for any file: [9223372036854775807]"),
      Case.tensor(shape: "[4294967296, 4294967296]", "has a shape too large for any file: [4294967296, 4294967296]"),
      Case.tensor(
        shape: "[0, 4294967296, 4294967296]", offsets: "[0, 0]", dataSize: 0,
        "has a shape too large for any file: [0, 4294967296, 4294967296]"),
      Case.tensor(offsets: "null", "has no data_offsets of two integers"),
      Case.tensor(offsets: "[0]", "has no data_offsets of two integers"),
      Case.tensor(offsets: "[0, 4, 8]", "has no data_offsets of two integers"),
      Case.tensor(offsets: "[\"0\", 8]", "has no data_offsets of two integers"),
      Case.tensor(offsets: "[8, 0]", "has data_offsets 8 to 0"),
      Case.tensor(offsets: "[-8, 0]", "has data_offsets -8 to 0"),
      Case.tensor(offsets: "[-9223372036854775808, 9223372036854775807]", "has data_offsets -9223372036854775808 to 9223372036854775807"),
      Case.tensor(offsets: "[4, 12]", "ends at byte 12 of the data, of which there are 8"),
      Case.tensor(offsets: "[0, 9223372036854775807]", "ends at byte 9223372036854775807 of the data, of which there are 8"),
      Case.tensor(dataSize: 7, "ends at byte 8 of the data, of which there are 7"),
      Case.tensor(offsets: "[0, 4]", "has 4 bytes where F32 [2] takes 8"),
      Case.tensor(shape: "[0]", "has 8 bytes where F32 [0] takes 0"),
      Case.tensor(dtype: "\"F16\"", "has 8 bytes where F16 [2] takes 4"),
    ])
  func tensor(_ hostile: Case) throws { try expectError(hostile) }

  @Test(
    "Data must be covered once, without holes",
    arguments: [
      Case(
        "overlap", SafetensorsBytes("{\(SafetensorsBytes.entry()), \(SafetensorsBytes.entry("b", offsets: "[4, 12]"))}", dataSize: 12),
        .overlap(file: file, tensor: "b", other: "a")),
      Case(
        "the same bytes twice", SafetensorsBytes("{\(SafetensorsBytes.entry()), \(SafetensorsBytes.entry("b"))}", dataSize: 8),
        .overlap(file: file, tensor: "b", other: "a")),
      Case(
        "an empty tensor inside another",
        SafetensorsBytes("{\(SafetensorsBytes.entry()), \(SafetensorsBytes.entry("b", shape: "[0]", offsets: "[4, 4]"))}", dataSize: 8),
        .overlap(file: file, tensor: "b", other: "a")),
      Case(
        "a hole before the first", SafetensorsBytes("{\(SafetensorsBytes.entry(offsets: "[4, 12]"))}", dataSize: 12),
        .unusedBytes(file: file, range: 0..<4)),
      Case(
        "a hole between two",
        SafetensorsBytes("{\(SafetensorsBytes.entry("b", offsets: "[12, 20]")), \(SafetensorsBytes.entry())}", dataSize: 20),
        .unusedBytes(file: file, range: 8..<12)),
      Case("trailing bytes", SafetensorsBytes("{\(SafetensorsBytes.entry())}", dataSize: 9), .unusedBytes(file: file, range: 8..<9)),
      Case("data of no tensor", SafetensorsBytes("{}", dataSize: 1), .unusedBytes(file: file, range: 0..<1)),
    ])
  func coverage(_ hostile: Case) throws { try expectError(hostile) }

  @Test("Every strict prefix of a good file is refused")
  func prefixes() throws {
    let folder = try TemporaryFolder()
    let whole = SafetensorsBytes(tensors: ["a", "b"]).bytes
    for length in 0..<whole.count {
      let file = try folder.write(Array(whole[..<length]), to: Self.file)
      #expect(throws: CheckpointError.self, "\(length) bytes") { try SafetensorsFile(file) }
    }
    let file = try folder.write(whole, to: Self.file)
    #expect(try SafetensorsFile(file).tensors.count == 2)
  }

  @Test("What isn't a file is refused, without waiting for a pipe's writer")
  func notFiles() throws {
    let folder = try TemporaryFolder()
    #expect(throws: CheckpointError.cannotRead(file: "none.safetensors", reason: "No such file or directory")) {
      try SafetensorsFile(folder.file("none.safetensors"))
    }
    #expect(throws: CheckpointError.cannotRead(file: folder.url.lastPathComponent, reason: "it isn't a regular file")) {
      try SafetensorsFile(folder.url)
    }
    try #require(mkfifo(folder.file("pipe.safetensors").path, 0o600) == 0)
    #expect(throws: CheckpointError.cannotRead(file: "pipe.safetensors", reason: "it isn't a regular file")) {
      try SafetensorsFile(folder.file("pipe.safetensors"))
    }
  }

  @Test(
    "Messages say what is wrong, where, and what to do",
    arguments: [
      (
        CheckpointError.headerTooLong(file: file, headerBytes: 100_000_001, fileBytes: 5_000_000_000),
        "model.safetensors announces a header of 100000001 bytes, of which safetensors allows 100000000; "
          + "the file is damaged or incomplete; download it again"
      ),
      (
        .headerTooLong(file: file, headerBytes: 3, fileBytes: 10),
        "model.safetensors announces a header of 3 bytes, but has 10 bytes in all; the file is damaged or incomplete; download it again"
      ),
      (
        .missingShard(file: "model-00002-of-00003.safetensors", tensors: 40),
        "the shard model-00002-of-00003.safetensors, which should hold 40 tensors, isn't there; the download is incomplete"
      ),
      (
        .missingTensor(String(repeating: "x", count: 1_000_000)),
        "the checkpoint has no tensor \(String(repeating: "x", count: 200))…; config.json describes another model, or a file is missing"
      ),
    ])
  func messages(_ error: CheckpointError, _ message: String) { #expect(error.description == message) }

  private func expectError(_ hostile: Case) throws {
    let folder = try TemporaryFolder()
    let file = try folder.write(hostile.bytes, to: Self.file)
    #expect(throws: hostile.error) { try SafetensorsFile(file) }
  }
}
