/// A string whose equality is that of its UTF-8 bytes.
public struct ExactString: Hashable, Sendable {
  public let string: String

  public init(_ string: String) { self.string = string }

  public static func == (one: ExactString, other: ExactString) -> Bool {
    one.string.utf8.count == other.string.utf8.count && one.string.utf8.elementsEqual(other.string.utf8)
  }

  public func hash(into hasher: inout Hasher) {
    var string = string
    string.withUTF8 { bytes in
      unsafe hasher.combine(bytes: UnsafeRawBufferPointer(bytes))  // lent for this call; byte by byte is several times slower
    }
    hasher.combine(UInt8.max)  // never part of UTF-8, so that no string's bytes are a prefix of another's
  }
}
