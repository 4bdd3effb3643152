import Foundation
import StrictJSON

/// A memory-mapped safetensors file whose header has been checked in full.
///
/// All offsets are checked against the size at opening (`fstat`). The file must not shrink while it is mapped: reading beyond
/// a new end raises SIGBUS, which ends the process. Replace checkpoint files by rename, never in place.
public final class SafetensorsFile: Sendable {
  /// In the order of their bytes.
  public let tensors: [TensorInfo]
  public let metadata: [String: String]
  private let offsets: [Int]
  private let positions: [ExactString: Int]
  private let mapping: Mapping

  /// - Throws: `CheckpointError` that says what is wrong with the file.
  public init(_ file: URL) throws(CheckpointError) {
    let name = file.lastPathComponent
    mapping = try Mapping(file)
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
  /// - Throws: `CheckpointError.missingTensor`, and what `body` throws.
  public func withBytes<Result>(of name: String, _ body: (UnsafeRawBufferPointer) throws -> Result) throws -> Result {
    try withExtendedLifetime(self) { try body(bytes(at: try position(of: name))) }
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

/// A whole file mapped read-only; the descriptor is closed at once.
private final class Mapping: @unchecked Sendable {  // reason: a pointer to pages that are only ever read
  let bytes: UnsafeRawBufferPointer

  init(_ file: URL) throws(CheckpointError) {
    let descriptor = open(file.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)  // a named pipe would wait for a writer
    guard descriptor >= 0 else { throw .reading(file) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .reading(file) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .cannotRead(file: file.lastPathComponent, reason: "it isn't a regular file") }
    let size = Int(status.st_size)
    guard size > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else { throw .reading(file) }
    bytes = UnsafeRawBufferPointer(start: base, count: size)
  }

  deinit {
    if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }

  func release(_ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = (range.lowerBound + page - 1) / page * page
    let end = range.upperBound / page * page
    guard start < end, let base = bytes.baseAddress else { return }
    madvise(UnsafeMutableRawPointer(mutating: base + start), end - start, MADV_DONTNEED)
  }
}
