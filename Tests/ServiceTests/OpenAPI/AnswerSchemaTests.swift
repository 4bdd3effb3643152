import Foundation
import JobModel
import StrictJSON
import Testing

/// What the daemon answers is what the document says, whatever state a job is in.
@Suite struct AnswerSchemaTests {
  @Test func answersAreAsDescribed() async throws {
    let settings = [
      "GPTQD_JOBS_MAX_QUEUED": "3", "GPTQD_HTTP_MAX_BODY_BYTES": "20000", "GPTQD_WEBHOOKS_ALLOWED_HOSTS": "127.0.0.1:9",
    ]
    try await TestServer.run(settings) { server in
      let witness = try await AnswerWitness(server)
      let jobs = try await Self.jobs(server)
      try await Self.submit(witness)
      try await Self.read(witness, jobs)
      try await Self.upload(witness)
      try await Self.readRepositories(witness, jobs)
      try await Self.download(witness, jobs)
      try await Self.change(witness, jobs)
      try await Self.announce(witness)
      for path in ["/healthz", "/readyz", "/openapi.json", "/v1/server", "/metrics", "/", "/dashboard/app.js", "/api/whoami-v2"] {
        try await witness.send("GET", path, expecting: 200)
      }
      for path in ["/openapi.json", "/", "/dashboard/app.js"] { try await witness.sendAgain(path) }
      try await witness.send("GET", "/dashboard/nothing", expecting: 404)
      #expect(witness.unseen.isEmpty, "no request got these answers")
    }
  }

  private struct Jobs {
    let succeeded: JobID
    let failed: JobID
    let running: JobID
    let queued: JobID

    var all: [JobID] { [succeeded, failed, running, queued] }
  }

  private static func jobs(_ server: TestServer) async throws -> Jobs {
    let failed = try await server.ended(server.submit("unlucky").id)
    try #require(failed.status == .failed)
    let succeeded = try await server.succeededJob()
    let running = try await server.submit("held")
    var status = JobStatus.queued
    while status == .queued { status = try await server.send("GET", "/v1/jobs/\(running.id)?wait=1").decode(Job.self).status }
    return Jobs(succeeded: succeeded.id, failed: failed.id, running: running.id, queued: try await server.submit("quick").id)
  }

  private static func submit(_ witness: AnswerWitness) async throws {
    let json = ["Content-Type": "application/json"]
    let body =
      #"{"model":"quick","quantization":{"method":"rtn","bits":2,"dynamic":{"-:.*a":{},"+:b":{"bits":8}}},"evaluation":{"dataset":"text"}}"#
    for (key, body, status) in [
      ("k", body, 202), ("k", body, 202), ("k", "{}", 422), ("l", "{", 400), ("é", body, 400), ("m", "{}", 422),
      ("n", #"{"model":"gone","quantization":{"method":"rtn"}}"#, 422), ("o", #"{"model":"quick","calibration":{"dataset":"gone"}}"#, 422),
      ("p", String(repeating: " ", count: 30_000), 413), ("q", body, 202), ("r", body, 429),
    ] { try await witness.send("POST", "/v1/jobs", json.merging(["Idempotency-Key": key]) { $1 }, body: body, expecting: status) }
    try await witness.send("POST", "/v1/jobs", ["Content-Type": "text/plain"], body: body, expecting: 415)
    try await witness.send("POST", "/v1/jobs", json.merging(["Expect": "miracles"]) { $1 }, body: body, expecting: 417)
    try await witness.send("POST", "/v1/jobs", json.merging(["Origin": "http://elsewhere"]) { $1 }, body: body, expecting: 403)
  }

  private static func read(_ witness: AnswerWitness, _ jobs: Jobs) async throws {
    for path in ["/v1/jobs", "/v1/jobs?limit=1&status=queued", "/v1/jobs?after=00000000000000000000000000"] {
      try await witness.send("GET", path)
    }
    for id in jobs.all {
      for part in ["", "/layers", "/layers/\(FakeEngine.layers[0].name)", "/attempts", "/events", "/events?limit=1"] {
        try await witness.send("GET", "/v1/jobs/\(id)\(part)", expecting: 200)
      }
      try await witness.sendAgain("/v1/jobs/\(id)")
    }
    for part in ["", "/layers", "/layers/x", "/attempts", "/events", "/artifacts", "/artifacts/x"] {
      try await witness.send("GET", "/v1/jobs/\(JobID())\(part)", expecting: 404)
      try await witness.send("GET", "/v1/jobs/\(JobID())\(part)?x=1", expecting: 400)
      try await witness.send("GET", "/v1/jobs/\(JobID())\(part)", ["Host": "elsewhere"], expecting: 421)
    }
    try await witness.send("GET", "/v1/jobs/\(jobs.queued)/layers/x", expecting: 404)
    try await witness.send("GET", "/v1/jobs/\(jobs.queued)/artifacts", expecting: 404)
  }

  private static func upload(_ witness: AnswerWitness) async throws {
    for (path, whole) in [("/v1/models/mine/files/a/config.json", "{ }\n"), ("/v1/datasets/mine", "{\"text\": \"a\"}\n")] {
      let part = ["Content-Range": "bytes 0-0/\(whole.utf8.count)"]
      try await witness.send("PUT", path, part, body: String(whole.prefix(1)), expecting: 202)
      try await witness.send("GET", path, expecting: 200)
      try await witness.send("PUT", path, ["Content-Range": "bytes 2-2/\(whole.utf8.count)"], body: "x", expecting: 409)
      try await witness.send("PUT", path, body: whole, expecting: 201)
      try await witness.send("PUT", path, body: whole, expecting: 200)
      try await witness.send(
        "PUT", path, ["Repr-Digest": "sha-256=:\(Data(count: 32).base64EncodedString()):"], body: whole, expecting: 400)
      try await witness.send("GET", path, expecting: 200)
    }
    try await witness.send("PUT", "/v1/datasets/mine", body: "no", expecting: 422)
    for path in ["/v1/models", "/v1/models?limit=1", "/v1/models/mine", "/v1/datasets", "/v1/datasets?after=a"] {
      try await witness.send("GET", path, expecting: 200)
    }
    for path in ["/v1/models/mine/files/a/config.json", "/v1/datasets/mine"] {
      try await witness.send("DELETE", path, expecting: 204)
      try await witness.send("GET", path, expecting: 404)
      try await witness.send("DELETE", path, expecting: 404)
    }
    try await witness.send("PUT", "/v1/models/mine/files/config.json", body: "{}", expecting: 201)
    try await witness.send("DELETE", "/v1/models/mine", expecting: 204)
    try await witness.send("GET", "/v1/models/mine", expecting: 404)
  }

  private static func readRepositories(_ witness: AnswerWitness, _ jobs: Jobs) async throws {
    try witness.server.folder.write("models/whole/sub/config.json", Data("{}".utf8))
    try witness.server.folder.write("models/whole/config.json", Data("{}".utf8))
    for (name, file) in [("jobs/\(jobs.succeeded)", "model.safetensors"), ("models/whole", "config.json")] {
      for path in ["", "?blobs=true", "/revision/main", "/tree/main?recursive=true"] {
        try await witness.send("GET", "/api/models/\(name)\(path)", expecting: 200)
      }
      try await witness.send("GET", "/api/models/\(name)/revision/none", expecting: 404)
      try await witness.send("GET", "/api/models/\(name)/tree/main/sub", expecting: name == "models/whole" ? 200 : 404)
      let path = "/\(name)/resolve/main/\(file)"
      try await witness.send("GET", path, expecting: 200)
      try await witness.send("GET", path, ["Range": "bytes=0-0"], expecting: 206)
      try await witness.send("GET", path, ["Range": "bytes=100000-"], expecting: 416)
      try await witness.sendAgain(path)
      try await witness.send("GET", "/\(name)/resolve/main/none", expecting: 404)
    }
    try await witness.send("GET", "/api/models/models/none", expecting: 404)
    try await witness.send("GET", "/v1/jobs/\(jobs.succeeded)/webhook", expecting: 404)
  }

  private static func download(_ witness: AnswerWitness, _ jobs: Jobs) async throws {
    let files = "/v1/jobs/\(jobs.succeeded)/artifacts"
    try await witness.send("GET", files, expecting: 200)
    for name in FakeEngine.files.keys {
      try await witness.send("HEAD", "\(files)/\(name)", expecting: 200)
      try await witness.send("GET", "\(files)/\(name)", expecting: 200)
      try await witness.sendAgain("\(files)/\(name)")
      try await witness.sendAgain("\(files)/\(name)", method: "HEAD")
    }
    try await witness.send("GET", "\(files)/model.safetensors", ["Range": "bytes=-10"], expecting: 206)
    try await witness.send("GET", "\(files)/model.safetensors", ["Range": "bytes=5000-"], expecting: 416)
    try await witness.send("GET", "\(files)/x", expecting: 404)
    let artifact = witness.server.folder.url.appending(path: "data/artifacts/\(jobs.succeeded)/config.json")
    try Data("[]\n".utf8).write(to: artifact)
    try await witness.send("GET", "\(files)/config.json", expecting: 410)
    try await witness.send("GET", "/v1/jobs/\(jobs.succeeded)", expecting: 200)
    try await witness.send("GET", "/v1/jobs/\(jobs.succeeded)/events", expecting: 200)
  }

  /// Nobody listens at the webhook's port.
  private static func announce(_ witness: AnswerWitness) async throws {
    let waiting = try await witness.server.send("GET", "/v1/jobs?status=queued").decode(APIList<Job>.self).data
    for job in waiting { try await witness.send("POST", "/v1/jobs/\(job.id)/cancel", expecting: 200) }
    let secret = "whsec_" + Data(count: 32).base64EncodedString()
    let body =
      #"{"model":"quick","quantization":{"method":"rtn"},"webhook":{"url":"http://127.0.0.1:9/","secret":"\#(secret)"}}"#
    let answer = try await witness.send("POST", "/v1/jobs", ["Content-Type": "application/json"], body: body, expecting: 202)
    let job = try await witness.server.ended(answer.decode(Job.self).id)
    try await witness.send("GET", "/v1/jobs/\(job.id)/webhook", expecting: 200)
  }

  private static func change(_ witness: AnswerWitness, _ jobs: Jobs) async throws {
    let json = ["Content-Type": "application/json"]
    for (body, status) in [("{", 400), (#"{"a":1}"#, 422), (#"{"recovery":{"on_exhausted":"rtn"}}"#, 429)] {
      try await witness.send("POST", "/v1/jobs/\(jobs.failed)/retry", json, body: body, expecting: status)
    }
    try await witness.send("POST", "/v1/jobs/\(jobs.failed)/retry", ["Content-Type": "text/plain"], body: "{}", expecting: 415)
    try await witness.send("POST", "/v1/jobs/\(jobs.succeeded)/retry", expecting: 409)
    try await witness.send("POST", "/v1/jobs/\(jobs.succeeded)/cancel", expecting: 409)
    try await witness.send("DELETE", "/v1/jobs/\(jobs.running)", expecting: 409)
    for id in [jobs.queued, jobs.running] { try await witness.send("POST", "/v1/jobs/\(id)/cancel", expecting: 200) }
    try await witness.send("POST", "/v1/jobs/\(jobs.queued)/retry", expecting: 200)
    try await witness.send("POST", "/v1/jobs/\(jobs.failed)/retry", json, body: #"{"recovery":{"on_exhausted":"rtn"}}"#)
    try await witness.send("DELETE", "/v1/jobs/\(jobs.succeeded)", expecting: 204)
    for (method, part) in [("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")] {
      try await witness.send(method, "/v1/jobs/\(jobs.succeeded)\(part)", expecting: 404)
    }
  }
}
