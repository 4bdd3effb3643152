import Foundation
import StrictJSON

/// A memory-mapped safetensors file whose header has been checked in full.
///
/// All offsets are checked against the size at opening (`fstat`). A file that shrinks while it is mapped is noticed when it is read.
public final class SafetensorsFile: Sendable {
  /// In the order of their bytes.
  public let tensors: [TensorInfo]
  public let metadata: [String: String]
  private let offsets: [Int]
  private let positions: [ExactString: Int]
  private let mapping: FileMapping

  /// - Throws: `CheckpointError` that says what is wrong with the file.
  public init(_ file: URL) throws(CheckpointError) {
    let name = file.lastPathComponent
    mapping = try FileMapping(file)
    let bytes = mapping.bytes
    guard bytes.count >= 8 else { throw .tooShort(file: name, bytes: bytes.count) }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= SafetensorsHeader.lengthLimit, length <= bytes.count - 8 else {
      throw .headerTooLong(file: name, headerBytes: length, fileBytes: bytes.count)
    }
    let start = 8 + Int(length)
    let header = try SafetensorsHeader(Array(bytes[8..<start]), dataStart: start, fileSize: bytes.count, file: name)
    tensors = header.tensors
    offsets = header.offsets
    metadata = header.metadata
    positions = Dictionary(uniqueKeysWithValues: header.tensors.enumerated().map { (ExactString($1.name), $0) })
  }

  /// - Throws: `CheckpointError.missingTensor`.
  public func info(_ name: String) throws(CheckpointError) -> TensorInfo { tensors[try position(of: name)] }

  public func contains(_ name: String) -> Bool { positions[ExactString(name)] != nil }

  /// Lends a tensor's bytes, valid inside `body` only; they may be unaligned for the tensor's type.
  ///
  /// - Throws: `CheckpointError.missingTensor`; `.cannotRead` where the file turned out to be cut short or its disk to be faulty,
  ///   whatever `body` did with it; what `body` throws.
  public func withBytes<Value>(of name: String, _ body: (UnsafeRawBufferPointer) throws -> Value) throws -> Value {
    let bytes = bytes(at: try position(of: name))
    let result = withExtendedLifetime(self) { Result { try body(bytes) } }
    try mapping.requireWhole()
    if case .failure = result { try mapping.requireUncut() }
    return try result.get()
  }

  /// Tells the kernel that the tensor's pages needn't stay in memory.
  ///
  /// - Parameter bytes: Only these of it.
  public func releaseCachedPages(of name: String, _ bytes: Range<Int>? = nil) {
    guard let position = positions[ExactString(name)] else { return }
    let bytes = bytes ?? 0..<tensors[position].byteCount
    mapping.release(offsets[position] + bytes.lowerBound..<offsets[position] + bytes.upperBound)
  }

  private func position(of name: String) throws(CheckpointError) -> Int {
    guard let position = positions[ExactString(name)] else { throw .missingTensor(name) }
    return position
  }

  private func bytes(at position: Int) -> UnsafeRawBufferPointer {
    let start = offsets[position]
    return UnsafeRawBufferPointer(rebasing: mapping.bytes[start..<start + tensors[position].byteCount])
  }
}
