/// Rewrites a pattern from the syntax of tokenizer.json (Oniguruma's Ruby syntax, on UTF-8) to PCRE2's.
///
/// Most of it is the same. `\s` differs by U+180E and is spelled out; what means something else to PCRE2,
/// or isn't known to mean the same, is refused.
struct OnigurumaSyntax {
  struct Unsupported: Error {
    let construct: String
  }

  private let scalars: [Unicode.Scalar]
  private var position = 0
  private var output = ""

  /// The pattern for PCRE2 with the options UTF and UCP and the newline LF.
  static func translated(_ pattern: String) throws(Unsupported) -> String {
    var syntax = OnigurumaSyntax(scalars: Array(pattern.unicodeScalars))
    while let scalar = syntax.next() { try syntax.element(scalar) }
    return syntax.output
  }

  private init(scalars: [Unicode.Scalar]) { self.scalars = scalars }

  private func peek(_ offset: Int = 0) -> Unicode.Scalar? {
    position + offset < scalars.count ? scalars[position + offset] : nil
  }

  private mutating func next() -> Unicode.Scalar? {
    guard let scalar = peek() else { return nil }
    position += 1
    return scalar
  }

  private mutating func emit(_ scalar: Unicode.Scalar) { output.unicodeScalars.append(scalar) }

  private mutating func element(_ scalar: Unicode.Scalar) throws(Unsupported) {
    switch scalar {
    case "\\": try escape(inClass: false)
    case "[": try characterClass()
    case "(": try group()
    case "{": try interval()
    case "^", "$": throw Unsupported(construct: "the line anchor \(scalar)")
    default: emit(scalar)
    }
  }

  private mutating func group() throws(Unsupported) {
    emit("(")
    guard peek() != "*" else { throw Unsupported(construct: "the group (*") }
    guard peek() == "?" else { return }
    for opening in ["?:", "?=", "?!", "?>", "?<=", "?<!", "?i:"] {
      let end = position + opening.unicodeScalars.count
      guard end <= scalars.count, scalars[position..<end].elementsEqual(opening.unicodeScalars) else { continue }
      output += opening
      position = end
      return
    }
    throw Unsupported(construct: "the group (?\(peek(1).map(String.init) ?? "")")
  }

  /// `{n}`, `{n,}` or `{n,m}`: a `+` or `?` after it isn't what it is in PCRE2.
  private mutating func interval() throws(Unsupported) {
    var text = "{"
    while let scalar = next() {
      text.unicodeScalars.append(scalar)
      if scalar == "}" { break }
    }
    let bounds = text.dropFirst().dropLast().split(separator: ",", maxSplits: 1, omittingEmptySubsequences: false)
    let areNumbers = bounds.allSatisfy { $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }
    guard text.hasSuffix("}"), areNumbers, bounds.first?.isEmpty == false, peek() != "+", peek() != "?" else {
      throw Unsupported(construct: "the repetition \(text)\(peek().map(String.init) ?? "")")
    }
    output += text
  }

  private mutating func characterClass() throws(Unsupported) {
    emit("[")
    if peek() == "^", let caret = next() { emit(caret) }
    guard peek() != "]" else { throw Unsupported(construct: "a character class that starts with ]") }
    while let scalar = next() {
      switch scalar {
      case "]":
        emit(scalar)
        return
      case "\\": try escape(inClass: true)
      case "[": throw Unsupported(construct: "a character class inside another")
      case "&" where peek() == "&": throw Unsupported(construct: "the intersection && of character classes")
      default: emit(scalar)
      }
    }
  }

  private mutating func escape(inClass: Bool) throws(Unsupported) {
    guard let scalar = next() else { throw Unsupported(construct: "a backslash at the end") }
    switch scalar {
    case "s": try emit(ranges: CharacterClasses.whitespace, inClass: inClass)
    case "S": try emit(ranges: Self.complement(of: CharacterClasses.whitespace), inClass: inClass)
    case "p", "P": try property(scalar)
    case "x", "u": try codePoint(scalar)
    case "d", "D", "n", "r", "t", "f", "a", "e":
      output += "\\\(scalar)"
    case _ where scalar.isASCII && !scalar.properties.isAlphabetic && scalar.properties.numericType == nil:
      output += "\\\(scalar)"
    default: throw Unsupported(construct: "the escape \\\(scalar)")
    }
  }

  private mutating func emit(ranges: [ClosedRange<UInt32>], inClass: Bool) throws(Unsupported) {
    if inClass, peek() == "-", peek(1) != "]" { throw Unsupported(construct: "a range that starts with a class") }
    let hexadecimal = { (value: UInt32) in "\\x{" + String(value, radix: 16) + "}" }
    let text = ranges.map { $0.count == 1 ? hexadecimal($0.lowerBound) : hexadecimal($0.lowerBound) + "-" + hexadecimal($0.upperBound) }
    output += inClass ? text.joined() : "[" + text.joined() + "]"
  }

  private static func complement(of ranges: [ClosedRange<UInt32>]) -> [ClosedRange<UInt32>] {
    let starts = [0] + ranges.map { $0.upperBound + 1 }
    let ends = ranges.map { $0.lowerBound - 1 } + [0x10FFFF]
    return zip(starts, ends).map { $0...$1 }
  }

  private static let generalCategories: Set<String> = [
    "L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "Me", "N", "Nd", "Nl", "No", "P", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
    "S", "Sm", "Sc", "Sk", "So", "Z", "Zs", "Zl", "Zp", "C", "Cc", "Cf", "Co", "Cn",
  ]

  private mutating func property(_ letter: Unicode.Scalar) throws(Unsupported) {
    let name = braced()
    guard let name, Self.generalCategories.contains(name) else {
      throw Unsupported(construct: "the property \\\(letter){\(name ?? "")}, which is no general category")
    }
    output += "\\\(letter){\(name)}"
  }

  /// `\x{H…}`, `\xHH` (a byte, so ASCII only) or `\uHHHH`.
  private mutating func codePoint(_ letter: Unicode.Scalar) throws(Unsupported) {
    let text: String
    let isWellFormed: Bool
    if letter == "x", peek() == "{" {
      text = braced() ?? ""
      isWellFormed = true
    } else {
      let length = letter == "x" ? 2 : 4
      let end = min(position + length, scalars.count)
      text = String(String.UnicodeScalarView(scalars[position..<end]))
      isWellFormed = text.unicodeScalars.count == length && (letter == "u" || ("0"..."7").contains(text.prefix(1)))
      position = end
    }
    guard isWellFormed, text.allSatisfy({ $0.isASCII && $0.isHexDigit }), let value = UInt32(text, radix: 16), Unicode.Scalar(value) != nil
    else {
      throw Unsupported(construct: "the code point \\\(letter)\(text)")
    }
    output += "\\x{\(String(value, radix: 16))}"
  }

  /// What stands between braces here, nil if there are none.
  private mutating func braced() -> String? {
    guard peek() == "{", let end = scalars[position...].firstIndex(of: "}") else { return nil }
    defer { position = end + 1 }
    return String(String.UnicodeScalarView(scalars[position + 1..<end]))
  }
}
