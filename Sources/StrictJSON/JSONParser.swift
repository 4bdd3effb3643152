extension JSONValue {
  /// Parses one JSON document (RFC 8259, UTF-8), in linear time.
  ///
  /// - Parameters:
  ///   - bytes: The whole document; white space around it is allowed, a byte order mark is not.
  ///   - depthLimit: How deep arrays and objects may nest.
  ///   - valueLimit: How many values there may be, arrays and objects among them: each takes much more memory than its text.
  /// - Throws: `JSONSyntaxError` also for doubled member names, lone surrogates and numbers beyond a double.
  public init(parsing bytes: [UInt8], depthLimit: Int = 128, valueLimit: Int = .max) throws(JSONSyntaxError) {
    var parser = JSONParser(bytes: bytes, depthLimit: depthLimit, valueLimit: valueLimit)
    self = try parser.document()
  }

  /// Parses the UTF-8 of `text`; see `init(parsing:depthLimit:)`.
  public init(parsing text: String) throws(JSONSyntaxError) { try self.init(parsing: Array(text.utf8)) }
}

private struct JSONParser {
  let bytes: [UInt8]
  let depthLimit: Int
  let valueLimit: Int
  var count = 0
  var position = 0
  var depth = 0

  init(bytes: [UInt8], depthLimit: Int, valueLimit: Int) {
    self.bytes = bytes
    self.depthLimit = depthLimit
    self.valueLimit = valueLimit
  }

  mutating func document() throws(JSONSyntaxError) -> JSONValue {
    skipWhitespace()
    let value = try value()
    skipWhitespace()
    guard position == bytes.count else { throw error("text after the end of the document") }
    return value
  }

  private func error(_ reason: String, at offset: Int? = nil) -> JSONSyntaxError {
    let offset = min(offset ?? position, bytes.count)
    let before = bytes[..<offset]
    let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    return JSONSyntaxError(
      offset: offset, line: 1 + before.count { $0 == UInt8(ascii: "\n") }, column: 1 + offset - lineStart,
      reason: reason)
  }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipWhitespace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func consume(_ byte: UInt8) -> Bool {
    guard current == byte else { return false }
    position += 1
    return true
  }

  private mutating func value() throws(JSONSyntaxError) -> JSONValue {
    guard count < valueLimit else { throw error("more than \(valueLimit) values") }
    count += 1
    switch current {
    case UInt8(ascii: "{"): return try nested { parser throws(JSONSyntaxError) in .object(try parser.object()) }
    case UInt8(ascii: "["): return try nested { parser throws(JSONSyntaxError) in .array(try parser.array()) }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "-"), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try number()
    case nil: throw error("the text ends where a value should be")
    default: throw error("a value should be here")
    }
  }

  private mutating func nested(
    _ body: (inout JSONParser) throws(JSONSyntaxError) -> JSONValue
  ) throws(JSONSyntaxError) -> JSONValue {
    guard depth < depthLimit else { throw error("nested deeper than \(depthLimit) levels") }
    depth += 1
    position += 1
    let value = try body(&self)
    depth -= 1
    return value
  }

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
    for byte in text.description.utf8 {
      guard consume(byte) else { throw error("expected \(text)") }
    }
    return value
  }

  private mutating func array() throws(JSONSyntaxError) -> [JSONValue] {
    var elements: [JSONValue] = []
    skipWhitespace()
    if consume(UInt8(ascii: "]")) { return elements }
    while true {
      skipWhitespace()
      elements.append(try value())
      skipWhitespace()
      if consume(UInt8(ascii: "]")) { return elements }
      guard consume(UInt8(ascii: ",")) else { throw error("expected , or ] in an array") }
    }
  }

  private mutating func object() throws(JSONSyntaxError) -> JSONObject {
    var object = JSONObject()
    skipWhitespace()
    if consume(UInt8(ascii: "}")) { return object }
    while true {
      skipWhitespace()
      let start = position
      guard current == UInt8(ascii: "\"") else { throw error("expected a member name in quotes") }
      let key = try string()
      skipWhitespace()
      guard consume(UInt8(ascii: ":")) else { throw error("expected : after a member name") }
      skipWhitespace()
      guard object.append(key, try value()) else { throw error("the member \"\(key.prefix(120))\" appears twice", at: start) }
      skipWhitespace()
      if consume(UInt8(ascii: "}")) { return object }
      guard consume(UInt8(ascii: ",")) else { throw error("expected , or } in an object") }
    }
  }

  private mutating func number() throws(JSONSyntaxError) -> JSONValue {
    let start = position
    var isInteger = true
    _ = consume(UInt8(ascii: "-"))
    if !consume(UInt8(ascii: "0")) { try digits() }
    if consume(UInt8(ascii: ".")) {
      isInteger = false
      try digits()
    }
    if consume(UInt8(ascii: "e")) || consume(UInt8(ascii: "E")) {
      isInteger = false
      if !consume(UInt8(ascii: "+")) { _ = consume(UInt8(ascii: "-")) }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let integer = Int64(text) { return .integer(integer) }
    guard let double = Double(text), double.isFinite else { throw error("the number \(text.prefix(40)) is out of range", at: start) }
    return .number(double)
  }

  private mutating func digits() throws(JSONSyntaxError) {
    let start = position
    while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
    guard position > start else { throw error("expected a digit") }
  }

  private mutating func string() throws(JSONSyntaxError) -> String {
    let start = position
    position += 1
    let contentStart = position
    while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
    if current == UInt8(ascii: "\"") {
      position += 1
      return try text(bytes[contentStart..<position - 1], startingAt: start)
    }
    var content = Array(bytes[contentStart..<position])
    while let byte = current {
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return try text(content[...], startingAt: start)
      case UInt8(ascii: "\\"): content.append(contentsOf: String(try escape()).utf8)
      case ..<0x20: throw error("a control character in a string must be escaped", at: position - 1)
      default: content.append(byte)
      }
    }
    throw error("a string without an end", at: start)
  }

  private func text(_ content: ArraySlice<UInt8>, startingAt start: Int) throws(JSONSyntaxError) -> String {
    guard let text = String(validating: content, as: UTF8.self) else { throw error("a string that is not UTF-8", at: start) }
    return text
  }

  private mutating func escape() throws(JSONSyntaxError) -> Unicode.Scalar {
    let start = position - 1
    guard let byte = current else { throw error("a string without an end", at: start) }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{08}"
    case UInt8(ascii: "f"): return "\u{0C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try unicodeEscape(startingAt: start)
    default: throw error("an unknown escape in a string", at: start)
    }
  }

  private mutating func unicodeEscape(startingAt start: Int) throws(JSONSyntaxError) -> Unicode.Scalar {
    let unit = try hexadecimalUnit()
    if let scalar = Unicode.Scalar(UInt32(unit)) { return scalar }
    guard UTF16.isLeadSurrogate(unit), consume(UInt8(ascii: "\\")), consume(UInt8(ascii: "u")) else {
      throw error("half of a surrogate pair", at: start)
    }
    let trail = try hexadecimalUnit()
    guard UTF16.isTrailSurrogate(trail) else { throw error("half of a surrogate pair", at: start) }
    return UTF16.decode(UTF16.EncodedScalar([unit, trail]))
  }

  private mutating func hexadecimalUnit() throws(JSONSyntaxError) -> UInt16 {
    guard position + 4 <= bytes.count else { throw error("\\u needs four hexadecimal digits") }
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue, bytes[position] < 0x80 else {
        throw error("\\u needs four hexadecimal digits")
      }
      unit = unit << 4 | UInt16(digit)
      position += 1
    }
    return unit
  }
}
