import StrictJSON

/// The header of a safetensors file, checked against the file's size.
///
/// Format: 8 bytes little-endian header length, the JSON header, the tensors' bytes without holes
/// (github.com/huggingface/safetensors, "Format").
struct SafetensorsHeader {
  /// In the order of their bytes.
  let tensors: [TensorInfo]
  /// First byte of each tensor in the file.
  let offsets: [Int]
  let metadata: [String: String]

  /// The format's own limit, in bytes.
  static let lengthLimit: UInt64 = 100_000_000

  /// - Parameters:
  ///   - bytes: The JSON header.
  ///   - dataStart: Where the tensors' bytes start in the file.
  ///   - fileSize: In bytes.
  init(_ bytes: [UInt8], dataStart: Int, fileSize: Int, file: String) throws(CheckpointError) {
    let json: JSONValue
    do {
      json = try JSONValue(parsing: bytes, depthLimit: 8)
    } catch {
      throw .invalidHeader(file: file, reason: error.description)
    }
    guard case .object(let object) = json else { throw .invalidHeader(file: file, reason: "\(json.kindDescription), not an object") }
    metadata = try Self.metadata(object["__metadata__"], file: file)
    var entries: [(info: TensorInfo, range: Range<Int>)] = []
    for (name, value) in object.members where name != "__metadata__" {
      entries.append(try Self.entry(name, value, dataSize: fileSize - dataStart, file: file))
    }
    entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    var end = 0
    for (index, entry) in entries.enumerated() {
      if entry.range.lowerBound < end {
        throw .overlap(file: file, tensor: entry.info.name, other: entries[max(0, index - 1)].info.name)
      }
      if entry.range.lowerBound > end { throw .unusedBytes(file: file, range: end..<entry.range.lowerBound) }
      end = entry.range.upperBound
    }
    if end < fileSize - dataStart { throw .unusedBytes(file: file, range: end..<fileSize - dataStart) }
    tensors = entries.map(\.info)
    offsets = entries.map { dataStart + $0.range.lowerBound }
  }

  private static func metadata(_ value: JSONValue?, file: String) throws(CheckpointError) -> [String: String] {
    guard let value else { return [:] }
    guard let object = value.objectValue else {
      throw .invalidHeader(file: file, reason: "wrong: __metadata__ is \(value.kindDescription), not an object")
    }
    var metadata: [String: String] = [:]
    for (key, value) in object.members {
      guard let text = value.stringValue else {
        throw .invalidHeader(file: file, reason: "wrong: __metadata__ \(key.prefix(120)) is \(value.kindDescription), not a string")
      }
      metadata[key] = text
    }
    return metadata
  }

  private static func entry(
    _ name: String, _ value: JSONValue, dataSize: Int, file: String
  ) throws(CheckpointError) -> (info: TensorInfo, range: Range<Int>) {
    func invalid(_ reason: String) -> CheckpointError { .invalidTensor(file: file, tensor: name, reason: reason) }
    guard let object = value.objectValue else { throw invalid("is \(value.kindDescription), not an object") }
    guard let typeName = object["dtype"]?.stringValue else { throw invalid("has no dtype") }
    guard let type = ScalarType(rawValue: typeName) else { throw invalid("has the unknown dtype \(typeName.prefix(40))") }
    guard let sizes = object["shape"]?.arrayValue else { throw invalid("has no shape") }
    let shape = sizes.compactMap(\.intValue)
    guard shape.count == sizes.count, shape.allSatisfy({ $0 >= 0 }) else { throw invalid("has a shape that isn't of whole sizes") }
    guard let size = TensorInfo.byteCount(type: type, shape: shape) else {
      throw invalid("has a shape too large for any file: \(shape.prefix(8))")
    }
    guard let bounds = object["data_offsets"]?.arrayValue?.map(\.intValue), bounds.count == 2, let start = bounds[0], let end = bounds[1]
    else { throw invalid("has no data_offsets of two integers") }
    guard start >= 0, start <= end else { throw invalid("has data_offsets \(start) to \(end)") }
    guard end <= dataSize else { throw invalid("ends at byte \(end) of the data, of which there are \(dataSize)") }
    guard end - start == size else { throw invalid("has \(end - start) bytes where \(typeName) \(shape.prefix(8)) takes \(size)") }
    return (TensorInfo(name: name, type: type, shape: shape), start..<end)
  }
}
