import Foundation
import JobModel
import Service
import Testing

@Suite struct MetricsTests {
  private static func scrape(_ server: TestServer) async throws -> MetricsText {
    let answer = try await server.send("GET", "/metrics")
    #expect(answer.status == 200)
    #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
    return try MetricsText(String(decoding: answer.body, as: UTF8.self))
  }

  /// Asks until what is shown may be as old as that.
  private static func scrape(_ server: TestServer, until isShown: (MetricsText) -> Bool) async throws -> MetricsText {
    for _ in 0..<300 {
      let text = try await scrape(server)
      if isShown(text) { return text }
      try await Task.sleep(for: .milliseconds(200))
    }
    return try await scrape(server)
  }

  @Test func everyFamilyIsWhatPrometheusReads() async throws {
    try await TestServer.run { server in
      _ = try await server.succeededJob()
      let text = try await Self.scrape(server)
      #expect(text.families.count > 30)
      for family in text.families {
        #expect(family.name.hasPrefix("gptqd_") || family.name.hasPrefix("process_"))
        #expect(family.help.hasSuffix("."), "\(family.name)")
      }
      #expect(text["gptqd_build_info"]?.samples.first?.labels["version"] == Daemon.version)
      let head = try await server.send("HEAD", "/metrics?whatever=1")
      #expect(head.status == 200 && head.body.isEmpty)
    }
  }

  @Test func jobsAndTheirLayersAreCountedAlsoAfterTheyAreGone() async throws {
    let folder = try TemporaryFolder()
    try await TestServer.run(in: folder) { server in
      let (done, failed) = (try await server.succeededJob(), try await server.submit("unlucky"))
      _ = try await server.ended(failed.id)
      let text = try await Self.scrape(server) { $0.value("gptqd_jobs", ["status": "failed"]) == 1 }
      #expect(text.value("gptqd_jobs", ["status": "succeeded"]) == 1)
      #expect(text.value("gptqd_jobs", ["status": "failed"]) == 1)
      #expect(text.value("gptqd_jobs", ["status": "cancelled"]) == 0)
      #expect(try await server.send("DELETE", "/v1/jobs/\(done.id)").status == 204)
    }
    try await TestServer.run(in: folder) { server in
      let text = try await Self.scrape(server)
      #expect(text.value("gptqd_jobs", ["status": "succeeded"]) == 0)
      #expect(text.value("gptqd_jobs_submitted_total") == 2)
      #expect(text.value("gptqd_job_transitions_total", ["status": "succeeded"]) == 1)
      #expect(text.value("gptqd_job_transitions_total", ["status": "running"]) == 2)
      // The engine's: 2 layers of the one job and 1 of the other, 2 tries at each, 0.5 s, a damping of 0.1.
      #expect(text.value("gptqd_attempts_total", ["cause": "rank_deficient", "outcome": "failed"]) == 3)
      #expect(text.value("gptqd_attempts_total", ["cause": "none", "outcome": "succeeded"]) == 3)
      #expect(text.value("gptqd_attempts_total", ["cause": "incurable", "outcome": "failed"]) == 0)
      let query = ["kind": "q_proj", "stage": "attention_input"]
      #expect(text.value("gptqd_layer_duration_seconds_count", query) == 2)
      #expect(text.value("gptqd_layer_duration_seconds_sum", query) == 1)
      #expect(text.value("gptqd_layer_duration_seconds_bucket", query.merging(["le": "0.3"]) { $1 }) == 0)
      #expect(text.value("gptqd_layer_duration_seconds_bucket", query.merging(["le": "1"]) { $1 }) == 2)
      #expect(text.value("gptqd_layer_duration_seconds_count", ["kind": "down_proj", "stage": "mlp_output"]) == 1)
      #expect(text.value("gptqd_layer_damping_ratio_bucket", ["le": "0.05"]) == 0)
      #expect(text.value("gptqd_layer_damping_ratio_bucket", ["le": "0.1"]) == 3)
      #expect(text.value("gptqd_sqlite_up") == 1)
    }
  }

  @Test func utilisationAndTheQueueAreShown() async throws {
    try await TestServer.run(["GPTQD_COMPUTE_THREADS": "3", "GPTQD_COMPUTE_MEMORY_LIMIT": "1GiB", "GPTQD_JOBS_MAX_QUEUED": "7"]) { server in
      let idle = try await Self.scrape(server)
      #expect(idle.value("gptqd_workers_busy") == 0 && idle.value("gptqd_threads_busy") == 0)
      #expect(idle.value("gptqd_queue_oldest_age_seconds") == 0)
      _ = try await server.submit("held")
      _ = await server.engine.nextStart()
      for _ in 0..<2 { _ = try await server.submit("held") }
      let text = try await Self.scrape(server) { $0.value("gptqd_queue_length") == 2 }
      #expect(text.value("gptqd_queue_length") == 2 && text.value("gptqd_queue_limit") == 7)
      #expect(text.value("gptqd_queue_oldest_age_seconds") ?? 0 > 0)
      #expect(text.value("gptqd_running_jobs", ["stage": "quantizing"]) == 1)
      #expect(text.value("gptqd_workers") == 1 && text.value("gptqd_workers_busy") == 1)
      #expect(text.value("gptqd_threads") == 3 && text.value("gptqd_threads_busy") == 3)
      #expect(text.value("gptqd_memory_limit_bytes") == Double(1 << 30))
    }
  }

  @Test func requestsAreCountedByRouteMethodAndStatusAndNothingThatClientsChoose() async throws {
    try await TestServer.run { server in
      let id = JobID()
      let requests = [
        ("GET", "/v1/jobs/\(id)", 404), ("GET", "/v1/jobs/%2e%2e", 404), ("GET", "/v1/jobs/\(id)/layers/secret", 404),
        ("GET", "/secret/x", 404), ("PROPFIND", "/v1/jobs", 405), ("PUT", "/v1/jobs/\(id)", 405), ("GET", "/v1/jobs?secret=1", 400),
        ("POST", "/v1/jobs", 400),
      ]
      for (method, path, status) in requests { #expect(try await server.send(method, path).status == status, "\(method) \(path)") }
      let text = try await Self.scrape(server)
      let counted = [
        ("/v1/jobs/{id}", "GET", 404, 2), ("/v1/jobs/{id}/layers/{name}", "GET", 404, 1), ("other", "GET", 404, 1),
        ("/v1/jobs", "other", 405, 1), ("/v1/jobs/{id}", "PUT", 405, 1), ("/v1/jobs", "GET", 400, 1), ("/v1/jobs", "POST", 400, 1),
      ]
      for (route, method, status, count) in counted {
        let labels = ["route": route, "method": method, "status": "\(status)"]
        #expect(text.value("gptqd_http_requests_total", labels) == Double(count), "\(labels)")
        #expect(text.value("gptqd_http_request_duration_seconds_count", ["route": route, "method": method]) ?? 0 >= Double(count))
      }
      #expect(text["gptqd_http_requests_total"]?.samples.count == counted.count)
      let values = text.families.flatMap(\.samples).flatMap(\.labels.values)
      #expect(!values.contains { $0.contains("secret") || $0.contains(id.text) || $0.contains("PROPFIND") })
    }
  }

  @Test func connectionsAndRefusalsAreCounted() async throws {
    try await TestServer.run(["GPTQD_HTTP_MAX_CONNECTIONS": "50"]) { server in
      let connections = try (0..<3).map { _ in try RawConnection(port: server.port) }
      defer { for connection in connections { connection.close() } }
      let open = try await Self.scrape(server) { $0.value("gptqd_http_open_connections") == 4 }
      #expect(open.value("gptqd_http_open_connections") == 4)
      #expect(open.value("gptqd_http_open_connections_limit") == 50)
      await connections[0].send("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
      _ = try await connections[0].receiveAll()
      await connections[1].send("GET / HTTP/1.1\r\nHost: localhost\r\nExpect: wonders\r\n\r\n")
      _ = try await connections[1].receiveAll()
      let text = try await Self.scrape(server) { $0.value("gptqd_http_open_connections") == 2 }
      #expect(text.value("gptqd_http_refused_requests_total", ["status": "400"]) == 1)
      #expect(text.value("gptqd_http_refused_requests_total", ["status": "417"]) == 1)
      #expect(text.value("gptqd_http_open_connections") == 2)
      #expect(text.value("gptqd_http_connections_total") ?? 0 >= 5)
    }
  }

  /// Against other files of `/proc`, and what is on disk.
  @Test func theProcessAndTheDiskAreMeasured() async throws {
    try await TestServer.run { server in
      _ = try await server.succeededJob()
      let text = try await Self.scrape(server)
      let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
      let resident = try #require(status.firstMatch(of: /VmRSS:\s+(\d+) kB/).flatMap { Double($0.1) }) * 1024
      let measured = try #require(text.value("process_resident_memory_bytes"))
      #expect(measured > resident / 4 && measured < resident * 4)
      let start = try #require(text.value("process_start_time_seconds"))
      #expect(start < Date().timeIntervalSince1970 + 2 && start > Date().timeIntervalSince1970 - 86_400)
      #expect(text.value("process_cpu_seconds_total") ?? 0 > 0)
      #expect(text.value("process_open_fds") ?? 0 > 3)
      #expect(text.value("process_max_fds") ?? 0 > text.value("process_open_fds") ?? 0)
      #expect(text.value("gptqd_sqlite_file_bytes") ?? 0 >= 4096)
      #expect(text.value("gptqd_sqlite_transaction_duration_seconds_count", ["kind": "write"]) ?? 0 > 5)
      let (free, size) = (text.value("gptqd_disk_free_bytes") ?? 0, text.value("gptqd_disk_size_bytes") ?? 0)
      #expect(free > 0 && size > free)
      let published = Double(FakeEngine.files.values.reduce(0) { $0 + $1.count })
      let artifacts = try #require(text.value("gptqd_data_bytes", ["kind": "artifacts"]))
      // Folders have a size too.
      #expect(artifacts >= published && artifacts < published + 65_536)
      #expect(
        Set(text["gptqd_data_bytes"]?.samples.compactMap { $0.labels["kind"] } ?? []) == [
          "artifacts", "attempts", "work", "models", "datasets", "uploads", "hub", "database",
        ])
    }
  }

  @Test func labelsAndNumbersAreWrittenSoThatTheyAreReadBack() throws {
    let values = ["", "plain", "a\"b", "back\\slash", "new\nline", "\\n", "\\\"", "{x=\"y\"},", "ünï"]
    let numbers = [0, 1, -1, 0.1, 1e-9, 1e300, -2.5e-7, 9_007_199_254_740_992, .infinity, -.infinity]
    let family = MetricFamily(.gauge, "gptqd_test", labels: ["one", "two"], "Back\\slash and\nline.")
    var exposition = Exposition()
    exposition.add(family, values.flatMap { one in numbers.map { ([one, "\($0)"], $0) } })
    let text = try MetricsText(exposition.text)
    for one in values {
      for number in numbers { #expect(text.value("gptqd_test", ["one": one, "two": "\(number)"]) == number) }
    }
  }

  @Test(arguments: [
    "a 1", "# TYPE a gauge\na 1\n", "# HELP a A.\n# TYPE a gauge\nb 1\n", "# HELP a A.\n# TYPE a gauge\na 1\na 2\n",
    "# HELP a A.\n# TYPE a counter\na 1\n", "# HELP a A.\n# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n",
    "# HELP a A.\n# TYPE a gauge\na{x=1} 1\n",
    "# HELP a A.\n# TYPE a gauge\na{x=\"\\t\"} 1\n", "# HELP a A.\n# TYPE a gauge\na{x=\"1\",} 1\n", "# HELP a A.\n# TYPE a gauge\na nan\n",
    "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 1\na_sum 1\na_count 1\n",
    "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
    "# HELP a A.\n# TYPE a histogram\na_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n", "# HELP a A.\n# TYPE a gauge\na 1\n\n",
  ])
  func theReaderRefuses(text: String) { #expect(throws: MetricsText.Wrong.self) { try MetricsText(text) } }
}
