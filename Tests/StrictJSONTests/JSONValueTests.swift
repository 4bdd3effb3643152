import StrictJSON
import Testing

@Suite struct JSONValueTests {
  @Test(
    "Integers are also read from numbers without fraction",
    arguments: [
      (4, 4), (4.0, 4), (-0.0, 0), (4.5, nil), (1e300, nil), (.number(0x1p63), nil), ("4", nil), (.null, nil), (true, nil),
    ] as [(JSONValue, Int?)])
  func integers(_ value: JSONValue, _ integer: Int?) { #expect(value.intValue == integer) }

  @Test("Other kinds aren't converted")
  func kinds() {
    #expect(JSONValue.integer(3).doubleValue == 3)
    #expect(JSONValue.string("true").boolValue == nil)
    #expect(JSONValue.bool(true).stringValue == nil)
    #expect(JSONValue.object([:]).arrayValue == nil)
    #expect(JSONValue.array([]).objectValue == nil)
    #expect(JSONValue.array([])["a"] == nil)
    #expect(JSONValue.null.isNull)
    let descriptions = [JSONValue.null, true, 1, 1.5, "", [], [:]].map(\.kindDescription)
    #expect(descriptions == ["null", "a boolean", "an integer", "a number", "a string", "an array", "an object"])
  }

  /// Objects of few members are searched, of many looked up.
  @Test("An object behaves the same with few members and with many", arguments: [0, 1, 7, 8, 9, 10, 40])
  func members(_ count: Int) {
    var object = JSONObject()
    for index in 0..<count { object["\(index)"] = .integer(Int64(index)) }
    #expect(object.count == count)
    #expect(object.isEmpty == (count == 0))
    #expect((0..<count).allSatisfy { object["\($0)"] == .integer(Int64($0)) })
    #expect(object["none"] == nil)

    object["none"] = nil
    object["new"] = "added"
    object["new"] = "replaced"
    #expect(object.keys == (0..<count).map(String.init) + ["new"])
    #expect(object["new"] == "replaced")

    for index in stride(from: 0, to: count, by: 2) { object["\(index)"] = nil }
    #expect(object.keys == stride(from: 1, to: count, by: 2).map(String.init) + ["new"])
    #expect(stride(from: 1, to: count, by: 2).allSatisfy { object["\($0)"] == .integer(Int64($0)) })
    #expect(object["0"] == nil)
    object["0"] = 0
    #expect(object.keys.last == "0")
  }

  @Test("Objects are equal with the same members in the same order")
  func equality() {
    let object: JSONObject = ["a": 1, "b": 2]
    #expect(object == ["a": 1, "b": 2])
    #expect(object != ["b": 2, "a": 1])
    #expect(object != ["a": 1])
    #expect(["\u{E9}": 1] as JSONObject != ["e\u{301}": 1])
    #expect(Set([object, ["a": 1, "b": 2], ["\u{E9}": 1], ["e\u{301}": 1]]).count == 3)
  }

  @Test(
    "Exact strings are equal by their bytes",
    arguments: [
      ("", "", true), ("a", "a", true), ("a", "ab", false), ("\u{E9}", "e\u{301}", false), ("\u{212B}", "\u{C5}", false), ("é", "é", true),
    ])
  func exactStrings(_ one: String, _ other: String, _ equal: Bool) {
    #expect((ExactString(one) == ExactString(other)) == equal)
    if equal { #expect(ExactString(one).hashValue == ExactString(other).hashValue) }
  }
}
