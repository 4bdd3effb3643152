import StrictJSON
import Testing

@Suite struct JSONParserTests {
  struct Valid: Sendable, CustomTestStringConvertible {
    let text: String
    let value: JSONValue
    var testDescription: String { text }

    init(_ text: String, _ value: JSONValue) {
      self.text = text
      self.value = value
    }
  }

  @Test(
    "Valid documents",
    arguments: [
      Valid("null", .null), Valid("true", true), Valid("false", false), Valid(" \t\r\n1 \t\r\n", 1), Valid("0", 0), Valid("-0", 0),
      Valid("-1", -1), Valid("9223372036854775807", 9_223_372_036_854_775_807), Valid("-9223372036854775808", .integer(.min)),
      Valid("9223372036854775808", .number(0x1p63)), Valid("18446744073709551616", .number(0x1p64)), Valid("1.0", 1.0), Valid("-0.0", -0.0),
      Valid("1e3", 1000.0), Valid("1E+3", 1000.0), Valid("1e-3", 0.001), Valid("0e0", 0.0), Valid("0.5e1", 5.0),
      Valid("123.456e78", 123.456e78), Valid("1.7976931348623157e308", .number(.greatestFiniteMagnitude)),
      Valid("5e-324", .number(.leastNonzeroMagnitude)), Valid("1e-400", 0.0), Valid("\"\"", ""), Valid("\"a\"", "a"),
      Valid("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\u{8}\u{C}\n\r\t"), Valid("\"\\u0041\\u00e9\\u00E9\"", "Aéé"),
      Valid("\"\\ud83d\\ude00\"", "😀"), Valid("\"\\uD800\\uDC00\\uDBFF\\uDFFF\"", "\u{10000}\u{10FFFF}"), Valid("\"\\u0000\"", "\0"),
      Valid("\"\u{7F}\u{2028}\u{FEFF}\u{FFFF}\"", "\u{7F}\u{2028}\u{FEFF}\u{FFFF}"), Valid("\"/* no comment */\"", "/* no comment */"),
      Valid("[]", []), Valid("[ ]", []), Valid("[1,\"a\",null,true]", [1, "a", .null, true]), Valid("[[],[[]]]", [[], [[]]]),
      Valid("{}", [:]), Valid("{ \"a\" : [ { } ] }", ["a": [[:]]]), Valid("{\"\":0}", ["": 0]),
      Valid("{\"b\":1,\"a\":2,\"\\u0063\":3}", ["b": 1, "a": 2, "c": 3]),
    ])
  func valid(_ document: Valid) throws {
    let value = try JSONValue(parsing: document.text)
    #expect(value == document.value)
    if case .number(let expected) = document.value { #expect(value.doubleValue?.sign == expected.sign) }
  }

  @Test("Members keep their order")
  func order() throws {
    let names = (0..<100).map { "\($0 * 37 % 100)" }
    let text = "{" + names.map { "\"\($0)\": \($0)" }.joined(separator: ",") + "}"
    let object = try #require(try JSONValue(parsing: text).objectValue)
    #expect(object.keys == names)
    #expect(object.members.map(\.value) == names.map { .integer(Int64($0)!) })
  }

  @Test("Names are compared byte by byte", arguments: [0, 20])
  func exactKeys(_ others: Int) throws {
    let filler = (0..<others).map { "\"x\($0)\": 0," }.joined()
    let object = try #require(try JSONValue(parsing: "{\(filler)\"\u{E9}\": 1, \"e\u{301}\": 2, \"\\u00e8\": 3}").objectValue)
    #expect(object.count == others + 3)
    #expect(object["\u{E9}"] == 1)
    #expect(object["e\u{301}"] == 2)
    #expect(object["\u{E8}"] == 3)
    #expect(object["e\u{300}"] == nil)
  }

  @Test("Nesting up to the limit and not beyond", arguments: [("[", "]"), ("{\"a\":", "}")])
  func depth(_ opening: String, _ closing: String) throws {
    func nested(_ levels: Int) -> [UInt8] {
      let inside = opening == "[" ? "" : "0"
      return Array((String(repeating: opening, count: levels) + inside + String(repeating: closing, count: levels)).utf8)
    }
    #expect(throws: Never.self) { try JSONValue(parsing: nested(128)) }
    let error = #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: nested(129)) }
    #expect(error?.reason == "nested deeper than 128 levels")
    #expect(error?.offset == 128 * opening.utf8.count)
    #expect(throws: Never.self) { try JSONValue(parsing: nested(3), depthLimit: 3) }
    #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: nested(4), depthLimit: 3) }
    #expect(throws: JSONSyntaxError.self) { try JSONValue(parsing: nested(1_000_000)) }
  }

  @Test("Depth counts open levels, not all that were opened")
  func siblings() throws {
    let text = "[" + Array(repeating: "[[]]", count: 500).joined(separator: ",") + "]"
    #expect(try JSONValue(parsing: Array(text.utf8), depthLimit: 3).arrayValue?.count == 500)
  }

  @Test(arguments: ["[1,2,3]", #"{"a":[null],"b":{}}"#, "[[[]],0]"])
  func valuesAreCounted(text: String) throws {
    _ = try JSONValue(parsing: Array(text.utf8), valueLimit: 4)
    let error = try #require(throws: JSONSyntaxError.self) { try JSONValue(parsing: Array(text.utf8), valueLimit: 3) }
    #expect(error.reason.contains("more than 3 values"))
  }
}
