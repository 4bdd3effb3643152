import Foundation
import JobModel
import Testing
import gptqctl

@Suite struct WebhookOptionsTests {
  private static func body(_ secret: String, _ arguments: [String]) throws -> NSDictionary? {
    let file = FileManager.default.temporaryDirectory.appending(component: "gptqctl-secret-\(UUID().uuidString)")
    try Data(secret.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let command = try Submit.parse(["m"] + arguments + ["--webhook-secret-file", file.path])
    return try JSONSerialization.jsonObject(with: command.body()) as? NSDictionary
  }

  @Test("A webhook's secret comes from a file", arguments: ["whsec_x", "whsec_x\n", "  whsec_x\r\n"])
  func secret(text: String) throws {
    let body = try #require(try Self.body(text, ["--webhook", "https://example.com/hook"]))
    #expect(body == ["model": "m", "webhook": ["url": "https://example.com/hook", "secret": "whsec_x"]])
  }

  @Test(
    "Half a webhook is refused before anything is sent",
    arguments: [
      "m --webhook https://example.com", "m --webhook-secret-file /dev/null",
      "--file r.json --webhook https://example.com --webhook-secret-file /dev/null",
    ])
  func half(line: String) {
    #expect(throws: (any Error).self) { try Submit.parse(line.split(separator: " ").map(String.init)) }
  }

  @Test("A file that can't be read is named")
  func missing() throws {
    let command = try Submit.parse(["m", "--webhook", "https://example.com", "--webhook-secret-file", "/nowhere/secret"])
    let error = #expect(throws: ClientError.self) { try command.body() }
    #expect(error?.description.hasPrefix("/nowhere/secret: ") == true)
  }

  @Test("Tries are listed with what was wrong")
  func table() throws {
    let at = Date(timeIntervalSince1970: 0)
    let record = WebhookRecord(
      url: try WebhookURL("https://example.com/hook"),
      deliveries: [
        WebhookDelivery(
          id: "msg_1", event: "job.failed", state: .pending, createdAt: at, nextAttemptAt: at + 60,
          attempts: [.init(at: at, seconds: 0.25, status: 500, error: "the receiver answered with status 500")])
      ])
    let lines = DeliveryTable(record).text.split(separator: "\n").map(String.init)
    #expect(lines[0] == "https://example.com/hook")
    #expect(lines.contains { $0.hasPrefix("msg_1") && $0.contains("job.failed") && $0.contains("0.25") && $0.hasSuffix("500") })
    #expect(lines.contains("  the receiver answered with status 500"))
    #expect(lines.contains { $0.contains("due 1970-01-01T00:01:00Z") })
  }
}
