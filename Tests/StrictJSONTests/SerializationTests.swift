import Foundation
import StrictJSON
import Testing

@Suite struct SerializationTests {
  @Test("In one line, and indented")
  func layout() {
    let value: JSONValue = ["b": [1, 2.5, [:], []], "a": ["x": .null, "y": true]]
    #expect(value.serialized() == #"{"b":[1,2.5,{},[]],"a":{"x":null,"y":true}}"#)
    #expect(
      value.serialized(indent: 2) == """
        {
          "b": [
            1,
            2.5,
            {},
            []
          ],
          "a": {
            "x": null,
            "y": true
          }
        }
        """)
  }

  @Test(
    "Strings escape what must be",
    arguments: [
      ("", #""""#), ("a/é😀", #""a/é😀""#), ("\"\\", #""\"\\""#), ("\n\r\t", #""\n\r\t""#),
      ("\0\u{8}\u{C}\u{1F}", #""\u0000\u0008\u000c\u001f""#),
      ("\u{7F}\u{2028}", "\"\u{7F}\u{2028}\""),
    ])
  func strings(_ string: String, _ text: String) { #expect(JSONValue.string(string).serialized() == text) }

  @Test(
    "What is written reads as the same value",
    arguments: [
      .null, true, false, 0, -1, .integer(.max), .integer(.min), 1.0, -0.0, 0.1, 1e300, 1e-300, .number(.greatestFiniteMagnitude),
      .number(.leastNonzeroMagnitude), .number(0x1p64), "", "\u{0}\u{1F}\"\\/\u{7F}é\u{301}😀", [], [:], [[[]], [:]],
      ["\u{E9}": 1, "e\u{301}": 2, "": [1.5, "x", .null]], .object(JSONObject(dictionaryLiteral: ("z", 1), ("a", 2), ("m", 3))),
    ] as [JSONValue], [nil, 0, 3])
  func roundTrip(_ value: JSONValue, _ indent: Int?) throws {
    let text = value.serialized(indent: indent)
    let read = try JSONValue(parsing: text)
    #expect(read == value)
    #expect(read.serialized(indent: indent).utf8.elementsEqual(text.utf8))
  }

  @Test("Codable keeps the value, its members sorted by name")
  func codable() throws {
    let value: JSONValue = ["a": [1, 2.5, "x", .null, true], "b": [:]]
    let read = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(value))
    #expect(read == value)
  }
}
