import Foundation
import JobModel
import Testing
import gptqctl

extension DaemonTorture {
  /// Files that the daemon's user may not read.
  @Suite(.serialized, .enabled(if: OtherUser.isAllowed)) struct ForbiddenFileTests {
    /// Gives the site to the daemon's user, but for one file.
    private static func handOver(_ site: Site, except forbidden: URL) throws {
      let entries = FileManager.default.enumerator(at: site.folder, includingPropertiesForKeys: nil)?.compactMap { $0 as? URL } ?? []
      for entry in [site.folder] + entries { try #require(chown(entry.path, OtherUser.id, OtherUser.id) == 0) }
      try #require(chown(forbidden.path, 0, 0) == 0 && chmod(forbidden.path, 0o600) == 0)
    }

    @Test(
      "A file that may not be read fails the job that needs it, with its name, and no other",
      arguments: ["models/locked/model.safetensors", "models/locked/config.json", "datasets/locked.jsonl"])
    func unreadable(path: String) async throws {
      try await Site.run { site in
        let forbidden = site.folder.appending(path: path)
        let (models, datasets) = (site.folder.appending(component: "models"), site.folder.appending(component: "datasets"))
        try FileManager.default.copyItem(at: models.appending(component: "tiny"), to: models.appending(component: "locked"))
        try FileManager.default.copyItem(at: datasets.appending(component: "ids.jsonl"), to: datasets.appending(component: "locked.jsonl"))
        let request =
          path.hasPrefix("models")
          ? Site.request.replacing("\"tiny\"", with: "\"locked\"") : Site.request.replacing("\"ids\"", with: "\"locked\"")
        let (data, queued) = try await site.queued(request)
        try Self.handOver(site, except: forbidden)
        try await DaemonProcess.run(site, data: data, wrapper: OtherUser.wrapper) { daemon in
          let failed = try await daemon.ended(queued)
          #expect(failed.status == .failed)
          let said = failed.error?.detail ?? ""
          #expect(
            said.contains(forbidden.deletingPathExtension().lastPathComponent) && said.localizedCaseInsensitiveContains("permission"),
            "\(said)")
          await #expect(throws: ClientError.self, "a job that can't begin is refused") { _ = try await daemon.submit(request) }
          let other = try await daemon.ended(daemon.submit())
          #expect(other.status == .succeeded, "\(other.error?.detail ?? "")")
        }
      }
    }

    @Test("An artifact's file that may not be read isn't served; the others are")
    func unreadableArtifact() async throws {
      try await Site.run { site in
        let data = site.newDataFolder()
        let id = try await DaemonProcess.run(site, data: data) { daemon in
          let id = try await daemon.submit()
          _ = try await daemon.ended(id)
          return id
        }
        try Self.handOver(site, except: data.appending(path: "artifacts/\(id)/model.safetensors"))
        try await DaemonProcess.run(site, data: data, wrapper: OtherUser.wrapper) { daemon in
          let path = "/v1/jobs/\(id)/artifacts/"
          await #expect(throws: ClientError.self) { _ = try await daemon.client.send("GET", path + "model.safetensors") }
          let config = try await daemon.client.send("GET", path + "config.json")
          #expect(!config.body.isEmpty)
          let next = try await daemon.ended(daemon.submit())
          #expect(next.status == .succeeded)
        }
      }
    }
  }
}
