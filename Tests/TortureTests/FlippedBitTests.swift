import Foundation
import JobModel
import Testing
import gptqctl

extension DaemonTorture {
  @Suite(.serialized) struct FlippedBitTests {
    @Test("A file of an artifact with one flipped bit is never served as if it were whole; the others are")
    func everyFile() async throws {
      try await Site.run { site in
        let data = site.newDataFolder()
        let id = try await DaemonProcess.run(site, data: data) { daemon in
          let job = try await daemon.ended(daemon.submit())
          #expect(job.status == .succeeded)
          return job.id
        }
        let folder = data.appending(path: "artifacts/\(id)")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names.count >= 6)
        var chance = Chance(stream: 3)
        for name in names {
          let file = folder.appending(component: name)
          let whole = try Data(contentsOf: file)
          let bit = Int.random(in: 0..<whole.count * 8, using: &chance)
          try Self.flip(bit, in: file)
          try await DaemonProcess.run(site, data: data) { daemon in
            for other in names {
              let answer = try await Self.get("/v1/jobs/\(id)/artifacts/\(other)", daemon)
              if other == name {
                #expect(answer == nil, "\(name), bit \(bit) flipped, is served whole and wrong; \(Torture.seedNote)")
              } else {
                #expect(answer == (try Data(contentsOf: folder.appending(component: other))), "\(other) isn't served as \(name) is damaged")
              }
            }
          }
          try Self.flip(bit, in: file)
          #expect(try Data(contentsOf: file) == whole)
        }
      }
    }

    /// - Returns: The file where the server gave all that it promised.
    private static func get(_ path: String, _ daemon: DaemonProcess) async throws -> Data? {
      do {
        let answer = try await daemon.client.send("GET", path)
        let promised = answer.headers["content-length"].flatMap { Int($0) }
        return promised == nil || promised == answer.body.count ? answer.body : nil
      } catch ClientError.refused {
        return nil
      } catch ClientError.unexpectedAnswer {
        return nil
      } catch ClientError.unreachable where daemon.process.exit == nil {
        return nil
      }
    }

    /// Leaves size and times as they are.
    private static func flip(_ bit: Int, in file: URL) throws {
      var status = stat()
      stat(file.path, &status)
      let handle = try FileHandle(forUpdating: file)
      try handle.seek(toOffset: UInt64(bit / 8))
      let byte = try #require(try handle.read(upToCount: 1)?.first)
      try handle.seek(toOffset: UInt64(bit / 8))
      try handle.write(contentsOf: [byte ^ 1 << UInt8(bit % 8)])
      try handle.close()
      let times = [status.st_atim, status.st_mtim]
      utimensat(AT_FDCWD, file.path, times, 0)
    }
  }
}
