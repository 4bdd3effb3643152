import Foundation
import JobModel
import Service
import Testing
import gptqctl

/// Models that one daemon gets from another's Hub.
@Suite(.serialized) struct HubSourceTests {
  private static func request(_ model: String, length: Int = 64) -> String {
    """
    {"model": \(model), "quantization": {"bits": 4, "group_size": 32},
     "calibration": {"dataset": "ids", "samples": 4, "sequence_length": \(length)}}
    """
  }

  @Test("A daemon quantizes a model of another daemon's Hub, for which it has a token, to the bytes that the other makes of it")
  func quantizesFromDaemonToDaemon() async throws {
    let (reading, reader) = try AccessToken.make(name: "b", scope: .read)
    let (writing, writer) = try AccessToken.make(name: "a", scope: .write)
    let tokens = "\(reader.configurationLine),\(writer.configurationLine)"
    try await EngineServer.run(["GPTQD_AUTH_TOKENS": tokens], token: writing) { source in
      let own = try await source.ended(source.submit(Self.request("\"tiny\"")).id)
      #expect(own.status == .succeeded, "\(own.error?.detail ?? "")")

      try await EngineServer.run(["GPTQD_HUB_ENDPOINT": source.url, "GPTQD_HUB_TOKEN": reading]) { server in
        try FileManager.default.removeItem(at: server.models.appending(component: "tiny"))
        let tooLong = try #require(try await server.refusal(Self.request(#"{"hub": "models/tiny"}"#, length: 300)))
        #expect(tooLong.errors?.map(\.pointer) == ["/calibration/sequence_length"])
        let accepted = try await server.submit(Self.request(#"{"hub": "models/tiny"}"#))
        let commit = try #require(accepted.request.model.hub?.commit)
        let job = try await server.ended(accepted.id)
        #expect(job.status == .succeeded, "\(job.error?.detail ?? "")")
        #expect(job.estimate == own.estimate)
        #expect(job.warnings == own.warnings)
        func files(_ job: Job) -> [ArtifactManifest.File]? { job.result?.files.filter { $0.path != "report.json" } }
        #expect(files(job) == files(own) && files(job)?.isEmpty == false)
        let snapshot = server.folder.appending(path: "data/hub/models/tiny/\(commit)")
        let names = try FileManager.default.contentsOfDirectory(atPath: snapshot.path).sorted()
        #expect(names == ["config.json", "generation_config.json", "model.safetensors"])

        // It is there now, so that all is planned at submission.
        let again = try await server.submit(Self.request(#"{"hub": "models/tiny", "revision": "\#(commit)"}"#))
        #expect(again.estimate == own.estimate)
        #expect(files(try await server.ended(again.id)) == files(own))

        let quantized = try #require(try await server.refusal(Self.request(#"{"hub": "jobs/\#(own.id)"}"#)))
        #expect(quantized.detail.contains("already quantized"), "\(quantized.detail)")
        let absent = try #require(try await server.refusal(Self.request(#"{"hub": "models/absent"}"#)))
        #expect(absent.status == 422 && absent.detail.contains("models/absent"), "\(absent.detail)")
      }
      try await EngineServer.run(["GPTQD_HUB_ENDPOINT": source.url, "GPTQD_HUB_TOKEN": "wrong"]) { server in
        let refused = try #require(try await server.refusal(Self.request(#"{"hub": "models/tiny"}"#)))
        #expect(refused.status == 422 && refused.detail.contains("hub.token"), "\(refused.detail)")
      }
    }
  }
}
