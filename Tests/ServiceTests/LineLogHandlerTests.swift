import Logging
import Service
import StrictJSON
import Testing

@Suite struct LineLogHandlerTests {
  private func line(_ format: ServiceConfiguration.LogFormat, _ message: String, _ fields: [(name: String, value: String)]) -> String {
    LineLogHandler.line(format, time: "2026-11-23T22:00:00.000Z", level: .info, label: "gptqd", message: message, fields: fields)
  }

  @Test func textIsReadable() {
    #expect(line(.text, "listening", [("url", "http://x")]) == "2026-11-23T22:00:00.000Z info listening url=http://x")
  }

  @Test func textStaysOneLineAndLeavesTheTerminalAlone() {
    #expect(line(.text, "a\r\nb", [("path", "/\u{1B}[2J")]) == "2026-11-23T22:00:00.000Z info a  b path=/ [2J")
  }

  @Test func jsonIsAnObjectALine() throws {
    let text = line(.json, "a\n\"b\"", [("job", "1"), ("message", "other")])
    #expect(!text.contains("\n"))
    let object = try JSONValue(parsing: text)
    #expect(object["message"]?.stringValue == "a\n\"b\"")
    #expect(object["level"]?.stringValue == "info")
    #expect(object["label"]?.stringValue == "gptqd")
    #expect(object["time"]?.stringValue == "2026-11-23T22:00:00.000Z")
    #expect(object["job"]?.stringValue == "1")
  }
}
