/// The printable scalars that stand for bytes in byte-level vocabularies, as GPT-2's encoder.py assigns them.
enum ByteLevelAlphabet {
  /// By byte; all below U+0144.
  static let scalars: [UInt16] = {
    var nextSubstitute: UInt16 = 0x100
    return (UInt16(0)...0xFF).map { byte in
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: return byte
      default:
        defer { nextSubstitute += 1 }
        return nextSubstitute
      }
    }
  }()

  /// Appends the scalar of each byte, in UTF-8.
  static func append(_ bytes: ArraySlice<UInt8>, to output: inout [UInt8]) {
    let scalars = scalars
    for byte in bytes {
      let scalar = scalars[Int(byte)]
      if scalar < 0x80 {
        output.append(UInt8(scalar))
      } else {
        output.append(0xC0 | UInt8(scalar >> 6))
        output.append(0x80 | UInt8(scalar & 0x3F))
      }
    }
  }
}
