import Foundation
import JobModel
import StrictJSON
import Testing

@Suite struct WebhookRequestTests {
  private static let secret = "whsec_" + Data(repeating: 7, count: 32).base64EncodedString()

  private static func request(_ webhook: String) throws -> JobRequest {
    try JobRequest(parsing: JSONValue(parsing: Array(#"{"model":"m","quantization":{"method":"rtn"},"webhook":\#(webhook)}"#.utf8)))
  }

  @Test("Nothing that shows a request shows its secret")
  func isHidden() throws {
    let request = try Self.request(#"{"url":"https://example.com/hook","secret":"\#(Self.secret)"}"#)
    #expect(request.webhook?.secret?.key == Data(repeating: 7, count: 32))
    let json = String(decoding: try APICoding.encode(request), as: UTF8.self)
    #expect(json.contains(#""webhook":{"url":"https://example.com/hook"}"#))
    var dumped = ""
    dump(request, to: &dumped)
    for text in [json, "\(request)", String(reflecting: request), dumped] {
      #expect(!text.contains(Self.secret.dropFirst(6)) && !text.contains("32 bytes") && !text.contains("7, 7"))
    }
    let stored = try APICoding.decode(JobRequest.self, from: Data(json.utf8))
    #expect(stored.webhook == WebhookRequest(url: try WebhookURL("https://example.com/hook"), secret: nil))
    #expect(try Self.request("null").webhook == nil)
  }

  @Test(
    "What is wrong is named, the secret isn't repeated",
    arguments: [
      (#"{}"#, ["/webhook/url", "/webhook/secret"]), (#"{"url":"https://example.com"}"#, ["/webhook/secret"]),
      (#"{"secret":"\#(secret)"}"#, ["/webhook/url"]), (#"{"url":1,"secret":2}"#, ["/webhook/url", "/webhook/secret"]),
      (#"{"url":"https://example.com","secret":"\#(secret)","events":[]}"#, ["/webhook/events"]), (#""https://example.com""#, ["/webhook"]),
      ("[]", ["/webhook"]),
      (#"{"url":"ftp://example.com","secret":"\#(secret)"}"#, ["/webhook/url"]),
    ])
  func errors(webhook: String, pointers: [String]) {
    let problem = #expect(throws: Problem.self) { try Self.request(webhook) }
    #expect(problem?.status == 422)
    #expect(problem?.errors?.map(\.pointer) == pointers)
    #expect(problem?.detail.contains(Self.secret) == false)
  }

  @Test(
    "A secret is whsec_ and enough base64",
    arguments: [
      "", "whsec_", "hunter2-hunter2-hunter2-hunter2", String(secret.dropFirst(6)), "WHSEC_" + secret.dropFirst(6), secret + "\n",
      " " + secret, secret + "!",
      "whsec_" + Data(repeating: 7, count: 23).base64EncodedString(), "whsec_" + Data(repeating: 7, count: 65).base64EncodedString(),
      "whsec_!!!!" + secret.dropFirst(10),
    ])
  func secrets(text: String) {
    #expect(WebhookSecret(text) == nil)
    let problem = #expect(throws: Problem.self) {
      try JobRequest(parsing: [
        "model": "m", "quantization": ["method": "rtn"], "webhook": ["url": "https://example.com", "secret": .string(text)],
      ])
    }
    #expect(problem?.errors?.map(\.pointer) == ["/webhook/secret"])
    #expect(text.count < 8 || problem?.detail.contains(text) == false)
  }
}
