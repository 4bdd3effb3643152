/// Steps over UTF-8 that is known to be valid, as the bytes of a `String` and its pieces are.
extension Collection<UInt8> where Index == Int {
  /// The scalar whose first byte is at `position`, and the position after its last.
  func scalar(at position: Int) -> (scalar: UInt32, end: Int) {
    let lead = UInt32(self[position])
    guard lead >= 0x80 else { return (lead, position + 1) }
    let length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4
    var scalar = lead & (0x7F >> UInt32(length))
    for offset in 1..<length { scalar = scalar << 6 | UInt32(self[position + offset] & 0x3F) }
    return (scalar, position + length)
  }

  /// The scalar that ends before `position`, and the position of its first byte.
  func scalar(before position: Int) -> (scalar: UInt32, start: Int) {
    var start = position - 1
    while self[start] & 0xC0 == 0x80 { start -= 1 }
    return (scalar(at: start).scalar, start)
  }
}
