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
  ///   - file: Replaced if it is there.
  ///   - tensors: What will be written, with no name twice.
  ///   - metadata: The header's `__metadata__`.
  public init(_ file: URL, tensors: [TensorInfo], metadata: [String: String]) throws(CheckpointError) {
    self.file = file
    self.tensors = tensors
    let descriptor = open(file.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .cannotWrite(file: file.lastPathComponent, reason: String(cString: strerror(errno))) }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var header = Array(Self.header(tensors, metadata: metadata).utf8)
    header.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - header.count % 8) % 8))
    var length = UInt64(header.count).littleEndian
    try append(Data(bytes: &length, count: 8) + header)
  }

  private static func header(_ tensors: [TensorInfo], metadata: [String: String]) -> String {
    var header = JSONObject()
    if !metadata.isEmpty {
      var values = JSONObject()
      for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { values[key] = .string(value) }
      header["__metadata__"] = .object(values)
    }
    var start = 0
    for tensor in tensors {
      let end = start + tensor.byteCount
      header[tensor.name] = .object([
        "dtype": .string(tensor.type.rawValue), "shape": .array(tensor.shape.map { .integer(Int64($0)) }),
        "data_offsets": .array([.integer(Int64(start)), .integer(Int64(end))]),
      ])
      start = end
    }
    return JSONValue.object(header).serialized()
  }

  /// Writes a tensor, or the next part of it.
  ///
  /// - Throws: `CheckpointError.wrongTensor` where another one was due, `.wrongByteCount`, `.cannotWrite`.
  public mutating func write(_ bytes: UnsafeRawBufferPointer, of name: String) throws(CheckpointError) {
    if bytes.isEmpty, tensors.contains(where: { $0.name == name && $0.byteCount == 0 }) { return }
    skipFinished()
    guard position < tensors.count, tensors[position].name == name else {
      throw .wrongTensor(expected: position < tensors.count ? tensors[position].name : nil, found: name)
    }
    guard written + bytes.count <= tensors[position].byteCount else {
      throw .wrongByteCount(tensor: name, expected: tensors[position].byteCount, found: written + bytes.count)
    }
    if let base = bytes.baseAddress {
      try append(Data(bytesNoCopy: UnsafeMutableRawPointer(mutating: base), count: bytes.count, deallocator: .none))
    }
    written += bytes.count
  }

  /// Checks that all was written, makes it durable and closes the file.
  public mutating func finish() throws(CheckpointError) {
    skipFinished()
    guard position == tensors.count else {
      throw .wrongByteCount(tensor: tensors[position].name, expected: tensors[position].byteCount, found: written)
    }
    do {
      try handle.synchronize()
      try handle.close()
    } catch {
      throw .cannotWrite(file: file.lastPathComponent, reason: error.localizedDescription)
    }
  }

  private mutating func skipFinished() {
    while position < tensors.count, written == tensors[position].byteCount {
      position += 1
      written = 0
    }
  }

  private func append(_ data: Data) throws(CheckpointError) {
    do {
      try handle.write(contentsOf: data)
    } catch {
      throw .cannotWrite(file: file.lastPathComponent, reason: error.localizedDescription)
    }
  }
}
