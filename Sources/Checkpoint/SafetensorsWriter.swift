import Foundation
import StrictJSON

/// Writes a safetensors file as a stream: the header from the declared tensors, then each tensor's bytes in that order.
///
/// The same tensors and bytes give the same file, byte for byte.
public struct SafetensorsWriter {
  private let file: URL
  private let handle: FileHandle
  private let tensors: [TensorInfo]
  /// The tensor that is being written.
  private var position = 0
  private var written = 0

  /// - Parameters:
  ///   - file: Replaced if it is there; incomplete until `finish()`.
  ///   - tensors: What will be written, in order.
  ///   - metadata: The header's `__metadata__`, written with sorted keys.
  /// - Throws: `CheckpointError.cannotWrite`, also for a name declared twice and a header beyond the format's limit;
  ///   in these two cases the file isn't touched.
  public init(_ file: URL, tensors: [TensorInfo], metadata: [String: String]) throws(CheckpointError) {
    let header = try Self.header(tensors, metadata: metadata, file: file.lastPathComponent)
    self.file = file
    self.tensors = tensors
    let descriptor = open(file.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .writing(file) }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var length = UInt64(header.count).littleEndian
    try append(Data(bytes: &length, count: 8) + header)
  }

  /// JSON padded with spaces, so that the data starts at a multiple of 8.
  private static func header(_ tensors: [TensorInfo], metadata: [String: String], file: String) throws(CheckpointError) -> [UInt8] {
    var header = JSONObject()
    if !metadata.isEmpty {
      var values = JSONObject()
      for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { values[key] = .string(value) }
      header["__metadata__"] = .object(values)
    }
    var start = 0
    for tensor in tensors {
      guard tensor.name != "__metadata__" else { throw .cannotWrite(file: file, reason: "a tensor can't be named __metadata__") }
      guard header[tensor.name] == nil else { throw .cannotWrite(file: file, reason: "tensor \(tensor.name) was declared twice") }
      let end = start + tensor.byteCount
      header[tensor.name] = .object([
        "dtype": .string(tensor.type.rawValue), "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
        "data_offsets": .array([.integer(Int64(start)), .integer(Int64(end))]),
      ])
      start = end
    }
    var text = Array(JSONValue.object(header).serialized().utf8)
    text.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - text.count % 8) % 8))
    guard text.count <= SafetensorsHeader.lengthLimit else {
      throw .cannotWrite(file: file, reason: "its header would take \(text.count) bytes; the format allows 100,000,000, so make more files")
    }
    return text
  }

  /// Writes a tensor, or the next part of it. A tensor of no bytes may be left out.
  ///
  /// - Throws: `CheckpointError.wrongTensor` where another one was due, `.wrongByteCount`, `.cannotWrite`.
  public mutating func write(_ bytes: UnsafeRawBufferPointer, of name: String) throws(CheckpointError) {
    try moveOn(to: name)
    guard bytes.count <= tensors[position].byteCount - written else {
      throw .wrongByteCount(tensor: name, expected: tensors[position].byteCount, found: written + bytes.count)
    }
    if let base = bytes.baseAddress {
      try append(Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: base), count: bytes.count, deallocator: .none))
    }
    written += bytes.count
  }

  /// Checks that all was written, makes the file's bytes durable and closes it; its name is durable after
  /// `DurableFile.syncFolder(_:)`.
  ///
  /// - Throws: `CheckpointError.wrongByteCount` for the first tensor that lacks bytes, `.cannotWrite`.
  public mutating func finish() throws(CheckpointError) {
    while position < tensors.count {
      guard written == tensors[position].byteCount else {
        throw .wrongByteCount(tensor: tensors[position].name, expected: tensors[position].byteCount, found: written)
      }
      position += 1
      written = 0
    }
    do {
      try handle.synchronize()
      try handle.close()
    } catch {
      throw .writing(file, error)
    }
  }

  /// Makes the named tensor the one that is being written: it is already, or all before it are complete.
  private mutating func moveOn(to name: String) throws(CheckpointError) {
    while position < tensors.count, !Self.isSame(tensors[position].name, name) {
      guard written == tensors[position].byteCount else { throw .wrongTensor(expected: tensors[position].name, found: name) }
      position += 1
      written = 0
    }
    guard position < tensors.count else { throw .wrongTensor(expected: nil, found: name) }
  }

  private static func isSame(_ one: String, _ other: String) -> Bool { ExactString(one) == ExactString(other) }

  private func append(_ data: Data) throws(CheckpointError) {
    do {
      try handle.write(contentsOf: data)
    } catch {
      throw .writing(file, error)
    }
  }
}
