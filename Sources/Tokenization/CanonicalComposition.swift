/// Normalization Form C (UAX #15) of UTF-8 text, by Unicode 9.
///
/// That is the version of the `tokenizers` library, by which models are trained: to it a mark that came later is
/// a character like any other, which no other mark moves across.
///
/// Foundation's can't be used: in Swift 6.3 it drops U+11A7 after a Hangul syllable, turns U+230D8 U+3099 into
/// U+30D9, and leaves U+0CCA U+0CD5 apart.
enum CanonicalComposition {
  static func apply(to bytes: inout [UInt8]) {
    guard !isCertainlyComposed(bytes) else { return }
    let scalars = composed(decomposed(bytes))
    bytes.removeAll(keepingCapacity: true)
    for scalar in scalars {
      if let encoded = Unicode.Scalar(scalar.value).flatMap(UTF8.encode) { bytes.append(contentsOf: encoded) }
    }
  }

  private struct ClassedScalar {
    let value: UInt32
    /// Canonical_Combining_Class; 0 for starters.
    let combiningClass: UInt8

    init(_ value: UInt32) {
      self.value = value
      guard value >= 0x300, let properties = Unicode.Scalar(value)?.properties,
        properties.canonicalCombiningClass != .notReordered, let age = properties.age, age.major <= 9
      else {
        combiningClass = 0
        return
      }
      combiningClass = properties.canonicalCombiningClass.rawValue
    }
  }

  /// The text decomposed and in canonical order, but for Hangul syllables, which composition would only restore.
  private static func decomposed(_ bytes: [UInt8]) -> [ClassedScalar] {
    var output: [ClassedScalar] = []
    output.reserveCapacity(bytes.count / 2)
    var marksStart: Int?
    var position = 0
    while position < bytes.count {
      let (scalar, end) = bytes.scalar(at: position)
      position = end
      let parts = scalar < 0xC0 || syllables.contains(scalar) ? [scalar] : CanonicalMappings.unicode.decomposition(of: scalar)
      for part in parts {
        let part = ClassedScalar(part)
        if part.combiningClass == 0 {
          if let start = marksStart.take() { sortMarks(&output, from: start) }
        } else if marksStart == nil {
          marksStart = output.count
        }
        output.append(part)
      }
    }
    if let marksStart { sortMarks(&output, from: marksStart) }
    return output
  }

  /// Sorts by class; marks of one class keep their order.
  private static func sortMarks(_ scalars: inout [ClassedScalar], from start: Int) {
    guard scalars.count - start > 1 else { return }
    let marks = Array(scalars[start...])
    let order = marks.indices.sorted { (marks[$0].combiningClass, $0) < (marks[$1].combiningClass, $1) }
    for (offset, index) in order.enumerated() { scalars[start + offset] = marks[index] }
  }

  private static func composed(_ scalars: [ClassedScalar]) -> [ClassedScalar] {
    var output: [ClassedScalar] = []
    output.reserveCapacity(scalars.count)
    var starter: Int?
    for scalar in scalars {
      if let starter, let last = output.last, starter == output.count - 1 || last.combiningClass < scalar.combiningClass,
        let composite = composite(output[starter].value, scalar.value)
      {
        output[starter] = ClassedScalar(composite)
        continue
      }
      if scalar.combiningClass == 0 { starter = output.count }
      output.append(scalar)
    }
    return output
  }

  private static func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
    guard second >= 0x300 else { return nil }
    return hangul(first, second) ?? CanonicalMappings.unicode.composite(of: first, second)
  }

  /// Blocks of starters that are composed already and never compose with what precedes them (NFC_Quick_Check = Yes):
  /// punctuation, Cyrillic, kana, ideographs, Hangul syllables (a vowel or consonant that joins them is not among these), emoji.
  private static let composed: [ClosedRange<UInt32>] = [
    0x400...0x482, 0x2010...0x205E, 0x3001...0x3029, 0x3041...0x3096, 0x30A0...0x30FF, 0x4E00...0x9FFF, 0xAC00...0xD7A3,
    0xFF01...0xFF9D, 0x1F300...0x1F64F,
  ]

  private static func isCertainlyComposed(_ bytes: [UInt8]) -> Bool {
    var position = 0
    while position < bytes.count {
      guard bytes[position] >= 0xCC else {  // below U+0300, where everything is
        position += 1
        continue
      }
      let (scalar, end) = bytes.scalar(at: position)
      guard composed.contains(where: { $0.contains(scalar) }) else { return false }
      position = end
    }
    return true
  }

  // The Unicode Standard, section 3.12, "Conjoining Jamo Behavior".
  private static let syllables: Range<UInt32> = 0xAC00..<0xD7A4
  private static let leads: Range<UInt32> = 0x1100..<0x1113
  private static let vowels: Range<UInt32> = 0x1161..<0x1176
  private static let tails: Range<UInt32> = 0x11A8..<0x11C3
  /// Tails of a syllable, none counted too.
  private static let tailCount: UInt32 = 28

  private static func hangul(_ last: UInt32, _ next: UInt32) -> UInt32? {
    if leads.contains(last), vowels.contains(next) {
      return syllables.lowerBound
        + ((last - leads.lowerBound) * UInt32(vowels.count) + next - vowels.lowerBound) * tailCount
    }
    guard syllables.contains(last), (last - syllables.lowerBound).isMultiple(of: tailCount), tails.contains(next) else { return nil }
    return last + next - tails.lowerBound + 1
  }
}
