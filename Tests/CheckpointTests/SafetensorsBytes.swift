/// A safetensors file put together by hand, right or wrong.
struct SafetensorsBytes {
  var header: String
  var data: [UInt8] = []
  /// What the file says of the header's length, if not the truth.
  var announcedLength: UInt64?

  /// - Parameter dataSize: In bytes of zero.
  init(_ header: String, dataSize: Int = 0, announcedLength: UInt64? = nil) {
    self.header = header
    self.data = [UInt8](repeating: 0, count: dataSize)
    self.announcedLength = announcedLength
  }

  /// F32 vectors of one element, one after the other.
  init(tensors names: [String]) {
    let entries = names.enumerated().map { Self.entry($1, shape: "[1]", offsets: "[\($0 * 4), \($0 * 4 + 4)]") }
    self.init("{\(entries.joined(separator: ", "))}", dataSize: names.count * 4)
  }

  /// A tensor's member of the header.
  static func entry(_ name: String = "a", dtype: String = "\"F32\"", shape: String = "[2]", offsets: String = "[0, 8]") -> String {
    "\"\(name)\": {\"dtype\": \(dtype), \"shape\": \(shape), \"data_offsets\": \(offsets)}"
  }

  var bytes: [UInt8] {
    let text = Array(header.utf8)
    let length = announcedLength ?? UInt64(text.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + text + data
  }
}
