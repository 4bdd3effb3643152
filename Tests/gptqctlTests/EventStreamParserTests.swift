import Foundation
import Testing
import gptqctl

@Suite struct EventStreamParserTests {
  typealias Message = EventStreamParser.Message

  private static func message(_ event: String, _ data: String, id: String? = nil) -> Message {
    Message(event: event, data: Data(data.utf8), id: id)
  }

  @Test(
    "A stream is cut into messages",
    arguments: [
      ("", []), (": heartbeat\n\n", []), ("retry: 2000\n\n", []), ("\n\n\n", []), ("event: job\n\n", []), ("data: x\n", []),
      ("data: x\n\n", [message("message", "x")]), ("data:x\n\n", [message("message", "x")]), ("data:  x\n\n", [message("message", " x")]),
      ("data\n\n", [message("message", "")]), ("data: a\ndata: b\n\n", [message("message", "a\nb")]),
      ("id: 7\nevent: layer\ndata: {\"a\": 1}\n\n", [message("layer", "{\"a\": 1}", id: "7")]),
      ("id: 7\ndata: a\n\ndata: b\n\n", [message("message", "a", id: "7"), message("message", "b")]),
      ("data: a\r\n\r\ndata: b\r\rdata: c\n\n", [message("message", "a"), message("message", "b"), message("message", "c")]),
      ("other: x\n: y\ndata: é: ü\n\n", [message("message", "é: ü")]), ("event: a\nevent: b\ndata: x\n\n", [message("b", "x")]),
    ] as [(String, [Message])])
  func messages(text: String, expected: [Message]) throws {
    let bytes = Array(text.utf8)
    var whole = EventStreamParser()
    #expect(try whole.add(bytes) == expected)
    var single = EventStreamParser()
    #expect(try bytes.flatMap { try single.add([$0]) } == expected)
  }

  @Test("A line without an end doesn't fill the memory")
  func tooLarge() throws {
    var parser = EventStreamParser()
    let part = [UInt8](repeating: 0x61, count: 8 << 20)
    #expect(throws: EventStreamParser.TooLarge.self) {
      for _ in 0...(EventStreamParser.sizeLimit / part.count) { _ = try parser.add(part) }
    }
  }
}
