import StrictJSON
import Testing

/// Most of these are in github.com/nst/JSONTestSuite as `n_…`, documents that no parser may take.
@Suite struct HostileDocumentTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let bytes: [UInt8]
    let line: Int
    let column: Int
    let reason: String
    var testDescription: String { String(decoding: bytes.prefix(60), as: UTF8.self).debugDescription }

    init(_ bytes: [UInt8], line: Int = 1, column: Int, _ reason: String) {
      self.bytes = bytes
      self.line = line
      self.column = column
      self.reason = reason
    }

    init(_ text: String, line: Int = 1, column: Int, _ reason: String) {
      self.init(Array(text.utf8), line: line, column: column, reason)
    }

    /// A string of these bytes.
    static func text(_ bytes: UInt8...) -> Case { Case([0x22] + bytes + [0x22], column: 1, "a string that is not UTF-8") }
  }

  @Test(
    "Structure",
    arguments: [
      Case("", column: 1, "the text ends where a value should be"), Case(" ", column: 2, "the text ends where a value should be"),
      Case("[", column: 2, "the text ends where a value should be"), Case("[1", column: 3, "expected , or ] in an array"),
      Case("[1,", column: 4, "the text ends where a value should be"), Case("[1,]", column: 4, "a value should be here"),
      Case("[,1]", column: 2, "a value should be here"), Case("[1,,2]", column: 4, "a value should be here"),
      Case("[1 2]", column: 4, "expected , or ] in an array"), Case("[1:2]", column: 3, "expected , or ] in an array"),
      Case("[1}", column: 3, "expected , or ] in an array"), Case("]", column: 1, "a value should be here"),
      Case("1]", column: 2, "text after the end of the document"), Case("[]]", column: 3, "text after the end of the document"),
      Case("{} {}", column: 4, "text after the end of the document"), Case("{", column: 2, "expected a member name in quotes"),
      Case("{]", column: 2, "expected a member name in quotes"), Case("{a:1}", column: 2, "expected a member name in quotes"),
      Case("{'a':1}", column: 2, "expected a member name in quotes"), Case("{1:1}", column: 2, "expected a member name in quotes"),
      Case("{\"a\"}", column: 5, "expected : after a member name"), Case("{\"a\",1}", column: 5, "expected : after a member name"),
      Case("{\"a\":}", column: 6, "a value should be here"), Case("{\"a\"::1}", column: 6, "a value should be here"),
      Case("{\"a\":1", column: 7, "expected , or } in an object"), Case("{\"a\":1,}", column: 8, "expected a member name in quotes"),
      Case("{\"a\":1 \"b\":2}", column: 8, "expected , or } in an object"),
      Case("{\"a\":1,,\"b\":2}", column: 8, "expected a member name in quotes"),
      Case("{,}", column: 2, "expected a member name in quotes"), Case("[1] // end", column: 5, "text after the end of the document"),
      Case("/**/1", column: 1, "a value should be here"), Case("# 1", column: 1, "a value should be here"),
      Case([0xEF, 0xBB, 0xBF, 0x31], column: 1, "a value should be here"),
      Case([0x31, 0x00], column: 2, "text after the end of the document"),
      Case("\u{A0}1", column: 1, "a value should be here"), Case("\u{B}1", column: 1, "a value should be here"),
      Case([0xFF, 0xFE, 0x31, 0x00], column: 1, "a value should be here"),
    ])
  func structure(_ document: Case) { expectError(document) }

  @Test(
    "Doubled names",
    arguments: [
      Case("{\"a\":1,\"a\":1}", column: 8, "the member \"a\" appears twice"),
      Case("{\"a\":1,\n \"b\":2,\n \"\\u0061\":3}", line: 3, column: 2, "the member \"a\" appears twice"),
      Case("{\"\":1,\"\":1}", column: 7, "the member \"\" appears twice"),
      Case(
        "{" + (0..<20).map { "\"\($0)\":0," }.joined() + "\"3\":0}", column: 132, "the member \"3\" appears twice"),
    ])
  func doubledNames(_ document: Case) { expectError(document) }

  @Test(
    "Literals and numbers",
    arguments: [
      Case("nul", column: 4, "expected null"), Case("nulL", column: 4, "expected null"), Case("True", column: 1, "a value should be here"),
      Case("truth", column: 4, "expected true"), Case("truee", column: 5, "text after the end of the document"),
      Case("NaN", column: 1, "a value should be here"), Case("Infinity", column: 1, "a value should be here"),
      Case("-Infinity", column: 2, "expected a digit"), Case("+1", column: 1, "a value should be here"),
      Case("-", column: 2, "expected a digit"), Case("- 1", column: 2, "expected a digit"), Case("--1", column: 2, "expected a digit"),
      Case("01", column: 2, "text after the end of the document"), Case("-01", column: 3, "text after the end of the document"),
      Case(".5", column: 1, "a value should be here"), Case("-.5", column: 2, "expected a digit"),
      Case("1.", column: 3, "expected a digit"),
      Case("1.e1", column: 3, "expected a digit"), Case("1e", column: 3, "expected a digit"), Case("1e+", column: 4, "expected a digit"),
      Case("1e1.5", column: 4, "text after the end of the document"), Case("1.2.3", column: 4, "text after the end of the document"),
      Case("0x10", column: 2, "text after the end of the document"), Case("1_000", column: 2, "text after the end of the document"),
      Case("１", column: 1, "a value should be here"), Case("1e400", column: 1, "the number 1e400 is out of range"),
      Case("[-1e9999]", column: 2, "the number -1e9999 is out of range"),
      Case(
        String(repeating: "9", count: 400), column: 1, "the number \(String(repeating: "9", count: 40)) is out of range"),
    ])
  func scalars(_ document: Case) { expectError(document) }

  @Test(
    "Strings",
    arguments: [
      Case("\"", column: 1, "a string without an end"), Case("\"a", column: 1, "a string without an end"),
      Case("\"\\\"", column: 1, "a string without an end"), Case("\"\\", column: 2, "a string without an end"),
      Case("'a'", column: 1, "a value should be here"), Case("\"a\nb\"", column: 3, "a control character in a string must be escaped"),
      Case("\"\t\"", column: 2, "a control character in a string must be escaped"),
      Case([0x22, 0x00, 0x22], column: 2, "a control character in a string must be escaped"),
      Case("\"\\x41\"", column: 2, "an unknown escape in a string"), Case("\"\\a\"", column: 2, "an unknown escape in a string"),
      Case("\"\\U0041\"", column: 2, "an unknown escape in a string"), Case("\"\\\n\"", column: 2, "an unknown escape in a string"),
      Case("\"\\u", column: 4, "\\u needs four hexadecimal digits"), Case("\"\\u12\"", column: 4, "\\u needs four hexadecimal digits"),
      Case("\"\\u00g0\"", column: 6, "\\u needs four hexadecimal digits"),
      Case("\"\\u+041\"", column: 4, "\\u needs four hexadecimal digits"),
      Case("\"\\u004１\"", column: 7, "\\u needs four hexadecimal digits"), Case("\"\\ud800\"", column: 2, "half of a surrogate pair"),
      Case("\"\\udc00\"", column: 2, "half of a surrogate pair"), Case("\"\\ud800\\ud800\"", column: 2, "half of a surrogate pair"),
      Case("\"\\ud800\\u0041\"", column: 2, "half of a surrogate pair"), Case("\"\\ud800\\n\"", column: 2, "half of a surrogate pair"),
      Case("\"\\udc00\\ud800\"", column: 2, "half of a surrogate pair"),
      .text(0xFF), .text(0x80), .text(0xC3), .text(0xC0, 0x80), .text(0xE0, 0x80, 0xAF), .text(0xED, 0xA0, 0x80),
      .text(0xF4, 0x90, 0x80, 0x80),
      .text(0x5C, 0x6E, 0xFF),
    ])
  func strings(_ document: Case) { expectError(document) }

  @Test(
    "An error's position counts lines, and bytes within the line",
    arguments: [
      Case("\n\n  x", line: 3, column: 3, "a value should be here"), Case("[1,\r\n2,\r\n]", line: 3, column: 1, "a value should be here"),
      Case("[\"é\", x]", column: 8, "a value should be here"), Case("[1,\n", line: 2, column: 1, "the text ends where a value should be"),
    ])
  func positions(_ document: Case) { expectError(document) }

  @Test("Every strict prefix of a document is refused")
  func prefixes() {
    let document = Array("{\"a\": [1.5e3, true, null, \"\\ud83d\\ude00é\"], \"b\": {\"c\": -7}}".utf8)
    for length in 0..<document.count {
      #expect(throws: JSONSyntaxError.self, "\(length) bytes") { try JSONValue(parsing: Array(document[..<length])) }
    }
    #expect(throws: Never.self) { try JSONValue(parsing: document) }
  }

  @Test("The message says where and why")
  func message() {
    let error = #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: "[1,\n 2,\n x]") }
    #expect(error?.description == "not valid JSON at line 3, column 2: a value should be here")
    #expect(error?.offset == 9)
  }

  private func expectError(_ document: Case) {
    let error = #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: document.bytes) }
    #expect(error?.reason == document.reason)
    #expect(error?.line == document.line)
    #expect(error?.column == document.column)
  }
}
