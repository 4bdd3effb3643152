import Foundation
import JobModel
import Service
import StrictJSON
import Testing

@Suite(.serialized) struct WebhookTests {
  private static let key = Data((0..<32).map { UInt8($0) })
  private static let secret = "whsec_" + key.base64EncodedString()
  private static let hosts = ["GPTQD_WEBHOOKS_ALLOWED_HOSTS": "127.0.0.1, localhost"]

  private static func fast(_ configuration: inout ServiceConfiguration) {
    configuration.webhookTiming.pauses = [.milliseconds(50), .milliseconds(200), .milliseconds(50), .milliseconds(50)]
    configuration.webhookTiming.limit = .seconds(10)
  }

  private static func request(_ model: String, _ url: String) -> String {
    #"{"model":"\#(model)","quantization":{"method":"rtn"},"webhook":{"url":"\#(url)","secret":"\#(secret)"}}"#
  }

  private static func submit(_ model: String = "quick", to url: String, _ server: TestServer) async throws -> JobID {
    let answer = try await server.post(request(model, url))
    try #require(answer.status == 202, "\(String(decoding: answer.body, as: UTF8.self))")
    return try answer.decode(Job.self).id
  }

  private static func url(_ receiver: WebhookReceiver, host: String = "127.0.0.1") -> String { "http://\(host):\(receiver.port)/hook?a=b" }

  /// A job's deliveries once none is pending.
  private static func settled(_ id: JobID, _ server: TestServer) async throws -> [WebhookDelivery] {
    while true {
      let record = try await server.send("GET", "/v1/jobs/\(id)/webhook").decode(WebhookRecord.self)
      if !record.deliveries.isEmpty, record.deliveries.allSatisfy({ $0.state != .pending }) { return record.deliveries }
      try await Task.sleep(for: .milliseconds(20))
    }
  }

  /// The vector that the libraries of Standard Webhooks are tested with.
  @Test func aSignatureIsThatOfStandardWebhooks() throws {
    let secret = try #require(WebhookSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    let fields = WebhookSignature.fields(
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek", time: Date(timeIntervalSince1970: 1_614_265_330), body: #"{"test": 2432232314}"#, secret: secret)
    #expect(
      fields == [
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
      ])
  }

  @Test(arguments: [("quick", JobStatus.succeeded), ("broken", .failed)])
  func theEndOfAJobIsDelivered(_ model: String, _ status: JobStatus) async throws {
    let receiver = try WebhookReceiver()
    try await TestServer.run(Self.hosts) { server in
      let id = try await Self.submit(model, to: Self.url(receiver), server)
      let message = try #require(try await receiver.messages(1).first)
      #expect(message.requestLine == "POST /hook?a=b HTTP/1.1")
      #expect(message.headers["content-type"] == "application/json")
      #expect(message.headers["host"] == "127.0.0.1:\(receiver.port)")
      #expect(message.isSigned(with: Self.key))
      #expect(!message.isSigned(with: Data(repeating: 0, count: 32)))
      let timestamp = try #require(message.headers["webhook-timestamp"].flatMap { Double($0) })
      #expect(abs(timestamp - Date().timeIntervalSince1970) < 300)
      let body = try JSONValue(parsing: Array(message.body))
      #expect(body["type"]?.stringValue == "job.\(status.rawValue)")
      let job = try APICoding.decode(Job.self, from: Data(try #require(body["data"]).serialized().utf8))
      #expect(job == (try await server.job(id)))
      let deliveries = try await Self.settled(id, server)
      #expect(deliveries.map(\.id) == [message.id] && deliveries[0].state == .delivered && deliveries[0].event == "job.\(status.rawValue)")
      #expect(deliveries[0].attempts.map(\.status) == [204] && deliveries[0].attempts[0].error == nil)
      #expect(deliveries[0].nextAttemptAt == nil)
    }
  }

  @Test func cancellationAndEachEndOfARetriedJobAreDelivered() async throws {
    let receiver = try WebhookReceiver()
    try await TestServer.run(Self.hosts) { server in
      _ = try await server.submit("held")
      _ = await server.engine.nextStart()
      let id = try await Self.submit("quick", to: Self.url(receiver), server)
      _ = try await server.send("POST", "/v1/jobs/\(id)/cancel")
      _ = try await receiver.messages(1)
      _ = try await server.send("POST", "/v1/jobs/\(id)/retry")
      server.engine.release()
      let types = try await receiver.messages(2).map { try JSONValue(parsing: Array($0.body))["type"]?.stringValue }
      #expect(types == ["job.cancelled", "job.succeeded"])
      #expect(Set(receiver.messages.map(\.id)).count == 2)
      #expect(try await Self.settled(id, server).map(\.event) == ["job.succeeded", "job.cancelled"])
    }
  }

  @Test func whatFailsIsTriedAgainUnderTheSameID() async throws {
    let receiver = try WebhookReceiver { _, position in
      [.status(500), .hangUp, .status(503, headers: ["Retry-After": "1"]), .status(200)][position]
    }
    try await TestServer.run(Self.hosts, configure: Self.fast) { server in
      let id = try await Self.submit(to: Self.url(receiver), server)
      let messages = try await receiver.messages(4)
      #expect(Set(messages.map(\.id)).count == 1 && Set(messages.map(\.body)).count == 1)
      #expect(messages.allSatisfy { $0.isSigned(with: Self.key) })
      // Never earlier than the least of the pause with its jitter, or what the receiver asks for.
      for (position, least) in [(0, 0.04), (1, 0.16), (2, 1.0)] {
        #expect(messages[position + 1].at - messages[position].at >= .seconds(least))
      }
      let attempts = try await Self.settled(id, server)[0].attempts
      #expect(attempts.map(\.status) == [500, nil, 503, 200])
      #expect(attempts.map { $0.error != nil } == [true, true, true, false])
    }
  }

  @Test func whatFailsForTooLongIsGivenUp() async throws {
    let receiver = try WebhookReceiver { _, _ in .status(500) }
    try await TestServer.run(Self.hosts, configure: Self.fast) { server in
      let delivery = try await Self.settled(Self.submit(to: Self.url(receiver), server), server)[0]
      #expect(delivery.state == .failed && delivery.attempts.count == 5)
      #expect(receiver.messages.count == 5)
    }
  }

  @Test func aReceiverThatIsGoneIsAskedOnce() async throws {
    let receiver = try WebhookReceiver { _, _ in .status(410) }
    try await TestServer.run(Self.hosts, configure: Self.fast) { server in
      let delivery = try await Self.settled(Self.submit(to: Self.url(receiver), server), server)[0]
      #expect(delivery.state == .failed && delivery.attempts.map(\.status) == [410])
    }
  }

  @Test(arguments: [301, 302, 303, 307, 308]) func aRedirectIsNotFollowed(_ status: Int) async throws {
    let other = try WebhookReceiver()
    let receiver = try WebhookReceiver { _, _ in .status(status, headers: ["Location": "http://127.0.0.1:\(other.port)/"]) }
    try await TestServer.run(Self.hosts) {
      Self.fast(&$0)
      $0.webhookTiming.pauses = []
    } _: { server in
      let delivery = try await Self.settled(Self.submit(to: Self.url(receiver), server), server)[0]
      #expect(delivery.state == .failed)
      #expect(delivery.attempts.map(\.status) == [status])
      #expect(delivery.attempts[0].error?.contains("redirects") == true)
      #expect(receiver.messages.count == 1 && other.messages.isEmpty)
    }
  }

  enum Endless: CaseIterable {
    case length, chunks, header, nonsense

    var text: String {
      switch self {
      case .length: "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"
      case .chunks: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\naaaa\r\n"
      case .header: "HTTP/1.1 200 OK\r\n" + String(repeating: "X: y\r\n", count: 1000)
      case .nonsense: String(repeating: "no HTTP ", count: 100)
      }
    }
  }

  /// What a receiver says besides its status is nothing that the daemon keeps, or waits for.
  @Test(arguments: Endless.allCases) func anEndlessAnswerEnds(_ answer: Endless) async throws {
    let receiver = try WebhookReceiver { _, _ in .endless(answer.text) }
    try await TestServer.run(Self.hosts) {
      Self.fast(&$0)
      $0.webhookTiming.pauses = []
    } _: { server in
      let delivery = try await Self.settled(Self.submit(to: Self.url(receiver), server), server)[0]
      #expect((delivery.state == .delivered) == (answer == .length || answer == .chunks), "\(delivery)")
    }
  }

  @Test func aStatusCountsWithoutItsBody() async throws {
    let receiver = try WebhookReceiver { _, _ in .unfinished }
    try await TestServer.run(Self.hosts, configure: Self.fast) { server in
      let delivery = try await Self.settled(Self.submit(to: Self.url(receiver), server), server)[0]
      #expect(delivery.state == .delivered && delivery.attempts.map(\.status) == [200])
    }
  }

  @Test func aSlowHostHoldsUpNoOther() async throws {
    let slow = try WebhookReceiver { _, _ in .silence }
    let quick = try WebhookReceiver()
    try await TestServer.run(Self.hosts) {
      $0.webhookTiming.limit = .seconds(600)
    } _: { server in
      for _ in 0..<8 { _ = try await Self.submit(to: Self.url(slow), server) }
      _ = try await slow.messages(2)
      let id = try await Self.submit(to: Self.url(quick), server)
      #expect(try await Self.settled(id, server)[0].state == .delivered)
      #expect(slow.messages.count == 2)
    }
  }

  @Test func aSilentReceiverIsLeft() async throws {
    let receiver = try WebhookReceiver { _, _ in .silence }
    try await TestServer.run(Self.hosts) {
      ($0.webhookTiming.pauses, $0.webhookTiming.limit) = ([], .milliseconds(500))
    } _: { server in
      let delivery = try await Self.settled(Self.submit(to: Self.url(receiver), server), server)[0]
      #expect(delivery.state == .failed)
      #expect(delivery.attempts[0].status == nil && delivery.attempts[0].error == "the receiver didn't answer in time")
    }
  }

  @Test func deliveriesSurviveARestart() async throws {
    let folder = try TemporaryFolder()
    // A port that nobody listens on until the second daemon runs.
    let reserved = try WebhookReceiver { _, _ in .status(500) }
    var id: JobID?
    try await TestServer.run(Self.hosts, in: folder) {
      $0.webhookTiming.pauses = [.seconds(1), .seconds(1), .seconds(1), .seconds(1), .seconds(1), .seconds(1)]
    } _: { server in
      id = try await Self.submit(to: Self.url(reserved), server)
      _ = try await reserved.messages(1)
    }
    let job = try #require(id)
    let before = reserved.messages.map(\.id)
    try await TestServer.run(Self.hosts, in: folder, configure: Self.fast) { server in
      let messages = try await reserved.messages(before.count + 1)
      #expect(Set(messages.map(\.id)) == Set(before))
      #expect(messages.allSatisfy { $0.isSigned(with: Self.key) })
      let record = try await server.send("GET", "/v1/jobs/\(job)/webhook").decode(WebhookRecord.self)
      #expect(record.deliveries.count == 1 && record.deliveries[0].attempts.count >= 1)
      // The operator's list counts when a message is sent, too.
    }
    try await TestServer.run([:], in: folder) {
      $0.webhookTiming.pauses = []
    } _: { server in
      let delivery = try await Self.settled(job, server)[0]
      #expect(delivery.attempts.last?.error?.contains("webhooks.allowed_hosts") == true)
    }
  }

  @Test func theSecretIsInNoAnswer() async throws {
    let receiver = try WebhookReceiver()
    try await TestServer.run(Self.hosts) { server in
      let body = Self.request("quick", Self.url(receiver))
      let first = try await server.post(body, ["Idempotency-Key": "k"])
      let id = try first.decode(Job.self).id
      _ = try await Self.settled(id, server)
      var answers = [first, try await server.post(body, ["Idempotency-Key": "k"])]
      for path in ["", "/webhook", "/events", "/layers", "/attempts", "/artifacts"] {
        answers.append(try await server.send("GET", "/v1/jobs/\(id)\(path)"))
      }
      answers.append(try await server.send("GET", "/v1/jobs"))
      answers.append(try await server.send("GET", "/v1/jobs/\(id)/events", ["Accept": "text/event-stream"]))
      answers.append(try await server.post(body.replacing("/hook", with: "#"), ["Idempotency-Key": "k"]))
      answers.append(try await server.post(body.replacing("quick", with: "nothing")))
      for answer in answers {
        let text = String(decoding: answer.body, as: UTF8.self) + "\(answer.headers)"
        #expect(!text.contains(Self.key.base64EncodedString()) && !text.contains("whsec_"))
      }
      #expect(answers[0].status == 202 && answers[1].status == 202)
      #expect(try answers[1].decode(Job.self).request.webhook?.url.description == Self.url(receiver))
    }
  }

  @Test(arguments: [
    ("", "http://127.0.0.1/", false), ("", "https://example.com/", false), ("example.com", "https://example.com/", true),
    ("example.com", "http://example.com:81/", true), ("example.com:443", "https://example.com/", true),
    ("example.com:443", "http://example.com/", false),
    ("example.com:80", "https://example.com/", false), ("example.com:80", "http://example.com/", true),
    ("EXAMPLE.com", "https://example.COM/", true),
    ("example.com", "https://a.example.com/", false), ("*.example.com", "https://a.example.com/", true),
    ("*.example.com", "https://a.b.example.com/", true),
    ("*.example.com", "https://example.com/", false), ("*.example.com", "https://badexample.com/", false),
    ("*.example.com:1", "https://a.example.com/", false),
    ("example.com", "https://example.com.evil.example/", false), ("example.com", "https://evil.example/?example.com", false),
    ("127.0.0.1", "http://127.0.0.1:9/", true), ("127.0.0.1", "http://localhost/", false), ("127.0.0.1:9", "http://127.0.0.1:8/", false),
    ("[::1]", "http://[0:0::1]/", true), ("[2001:DB8::1]:8080", "http://[2001:db8::1]:8080/", true), ("[::1]", "http://[::2]/", false),
    ("a.example, b.example", "https://b.example/", true),
  ]) func onlyListedHostsAreAllowed(_ allowed: String, _ url: String, _ isAllowed: Bool) async throws {
    let configuration = try await TestServer.configuration(in: TemporaryFolder(), ["GPTQD_WEBHOOKS_ALLOWED_HOSTS": allowed])
    #expect(try configuration.webhookHosts.allow(WebhookURL(url)) == isAllowed)
  }

  @Test(arguments: ["", "127.0.0.2, example.com"]) func aHostThatIsNotAllowedIsRefusedWithTheKey(_ allowed: String) async throws {
    try await TestServer.run(["GPTQD_WEBHOOKS_ALLOWED_HOSTS": allowed]) { server in
      let answer = try await server.post(Self.request("quick", "http://127.0.0.1:9/hook?token=1"))
      #expect(answer.status == 422)
      let error = try #require(try answer.problem().errors?.first)
      #expect(error.pointer == "/webhook/url" && error.detail.contains("webhooks.allowed_hosts") && error.detail.contains("127.0.0.1:9"))
      #expect(error.detail.contains("is empty") == allowed.isEmpty)
      #expect(try await server.send("GET", "/v1/jobs").decode(APIList<Job>.self).data.isEmpty)
    }
  }

  @Test(arguments: [
    "https://example.com", "example.com/path", "example.com?", "user@example.com", "*", "*.", "*.*.example.com", "a.*.example.com",
    "*.127.0.0.1",
    "*.[::1]", "::1", "example.com:0", "example.com:http", "127.1", "exa mple.com", "bücher.example", "example.com.", "#",
  ]) func whatIsNoHostIsRefusedAtTheStart(_ host: String) async throws {
    let folder = try TemporaryFolder()
    let error = await #expect(throws: ConfigurationError.self) {
      _ = try await TestServer.configuration(in: folder, ["GPTQD_WEBHOOKS_ALLOWED_HOSTS": "good.example,\(host)"])
    }
    #expect(error?.description.contains("webhooks.allowed_hosts") == true)
  }

  @Test func aJobWithoutAWebhookHasNone() async throws {
    try await TestServer.run { server in
      let id = try await server.succeededJob().id
      let answer = try await server.send("GET", "/v1/jobs/\(id)/webhook")
      #expect(answer.status == 404)
      #expect(try answer.problem().code == .webhookNotFound)
    }
  }
}
