import Foundation
import JobModel
import Logging
import Service
import Synchronization
import Testing

/// Where the Hub's token goes, and where it must not.
@Suite(.serialized) struct HubTokenTests {
  private static let token = "hf_abcdefghijklmnopqrstuvwxyz"

  @Test("The token goes to the endpoint with every request, and to no other place that a redirect leads to")
  func staysAtHome() async throws {
    let repository = TestRepository()
    // Another port is another origin; the host is the same, so that the redirect is followed.
    let storage = try ScriptedHub { request in
      [repository].answer(.init(target: request.path.replacing("/cdn", with: ""), headers: request.headers))
    }
    let (address, port) = (storage.url, storage.port)
    let hub = try ScriptedHub { request in
      guard request.path.hasSuffix("/model.safetensors") else { return [repository].answer(request) }
      return .error(302, ["Location": "\(address)/cdn\(request.path)?signature=x"])
    }
    try await TestServer.run(hub: hub, ["GPTQD_HUB_TOKEN": Self.token]) { server in
      let job = try await server.ended(server.accepted(hub: repository.name).id)
      #expect(job.status == .succeeded, "\(job.error?.detail ?? "")")
      #expect(hub.requests.count > 4 && hub.requests.allSatisfy { $0.headers["authorization"] == "Bearer \(Self.token)" })
      #expect(storage.requests.count == 1 && storage.requests.allSatisfy { $0.headers["authorization"] == nil }, "\(port)")
      #expect(storage.requests.first?.target.hasSuffix("?signature=x") == true)
      let shown = try await server.send("GET", "/v1/jobs/\(job.id)").body + server.send("GET", "/v1/jobs/\(job.id)/events").body
      #expect(!String(decoding: shown, as: UTF8.self).contains(Self.token))
    }
  }

  @Test("A redirect on the same origin keeps the token, as for a repository that was renamed")
  func followsRenames() async throws {
    let repository = TestRepository()
    let hub = try ScriptedHub { request in
      guard request.target.contains("org/old") else { return [repository].answer(request) }
      return .error(307, ["Location": request.target.replacing("org/old", with: "org/model")])
    }
    try await TestServer.run(hub: hub, ["GPTQD_HUB_TOKEN": Self.token]) { server in
      let job = try await server.ended(server.accepted(hub: "org/old").id)
      #expect(job.status == .succeeded, "\(job.error?.detail ?? "")")
      #expect(hub.requests.allSatisfy { $0.headers["authorization"] == "Bearer \(Self.token)" })
    }
  }

  @Test("A refused token is said to be refused, and not shown")
  func isRefused() async throws {
    let hub = try ScriptedHub { _ in .error(401, ["X-Error-Message": "wrong token \(Self.token)"]) }
    try await TestServer.run(hub: hub, ["GPTQD_HUB_TOKEN": Self.token]) { server in
      let answer = try await server.submit(hub: "org/model")
      #expect(try answer.problem().detail.contains("refuses hub.token"))
      #expect(!String(decoding: answer.body, as: UTF8.self).contains(Self.token))
    }
  }

  @Test("Neither the configuration's text nor its errors show the token")
  func isHidden() async throws {
    let folder = try TemporaryFolder()
    let configuration = try await TestServer.configuration(in: folder, ["GPTQD_HUB_TOKEN": Self.token])
    #expect(configuration.hub.token == Secret(Self.token))
    var dumped = ""
    dump(configuration, to: &dumped)
    for text in ["\(configuration)", String(reflecting: configuration), dumped] { #expect(!text.contains(Self.token)) }
    let error = await #expect(throws: ConfigurationError.self) {
      _ = try await TestServer.configuration(in: folder, ["GPTQD_HUB_TOKEN": Self.token + " x"])
    }
    #expect(error?.description.contains("hub.token") == true && error?.description.contains(Self.token) == false)
  }

  @Test(
    "An endpoint is an address and nothing else",
    arguments: [
      "huggingface.co", "ftp://huggingface.co", "https://", "https://user:secret@huggingface.co", "https://huggingface.co/?x=y",
      "https://huggingface.co/#x", "file:///etc", "http://a b",
    ])
  func refusesEndpoints(text: String) async throws {
    let folder = try TemporaryFolder()
    let error = await #expect(throws: ConfigurationError.self) {
      _ = try await TestServer.configuration(in: folder, ["GPTQD_HUB_ENDPOINT": text])
    }
    #expect(error?.description.contains("hub.endpoint") == true && error?.description.contains("secret") == false)
  }

  @Test(arguments: [
    ("https://huggingface.co/", "https://huggingface.co"), ("http://[::1]:8790", "http://[::1]:8790"), ("https://h/hub//", "https://h/hub"),
  ])
  func takesEndpoints(text: String, endpoint: String) async throws {
    let configuration = try await TestServer.configuration(in: TemporaryFolder(), ["GPTQD_HUB_ENDPOINT": text])
    #expect(configuration.hub.endpoint?.absoluteString == endpoint)
    #expect(configuration.hub.parallelDownloads == 4 && configuration.hub.token == nil)
  }
}
