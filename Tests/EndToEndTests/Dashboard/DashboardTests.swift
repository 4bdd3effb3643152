import Foundation
import JobModel
import StrictJSON
import Testing
import gptqctl

extension ProgramTests {
  /// The dashboard in a browser, against the daemon and its API.
  @Suite(.serialized, .enabled(if: Chromium.path != nil, "there is no Chromium; make test-deps installs it"), DashboardSiteTrait())
  struct DashboardTests {
    func site() throws -> DashboardSite { try #require(DashboardSite.current) }

    /// A job of a file of two layers, one of which needs more damping, or more than there is.
    func layersJob(_ site: DashboardSite, coupling: Float, file: String = "captured") async throws -> Job {
      try RecoveryJobTests.writeLayers(coupling: coupling, to: site.server.models)
      let request = """
        {"kind": "layers", "model": "\(file)", "quantization": {"bits": 4, "group_size": 8, "act_group_aware": false},
         "damping": {"start": "fixed"}}
        """
      return try await site.server.ended(site.server.submit(request).id)
    }

    func layers(_ site: DashboardSite, _ job: Job) async throws -> [LayerRecord] {
      try await site.server.client.get(APIList<LayerRecord>.self, "/v1/jobs/\(job.id)/layers").data
    }

    func attempts(_ site: DashboardSite, _ job: Job) async throws -> [AttemptRecord] {
      try await site.server.client.get(APIList<AttemptRecord>.self, "/v1/jobs/\(job.id)/attempts").data
    }

    @Test("The demo is submitted with the form, watched to its end without a reload, and shown as the API has it")
    func demo() async throws {
      let site = try site()
      let page = try await site.page()
      try await page.evaluate("document.querySelector('nav a[href=\"#/new\"]').click()")
      try await page.waitForHeading("New job")
      let fields = [
        "Model": "tiny-qwen2-kjv", "Group size": "64", "Calibration data": "kjv-calibration", "Calibration sequences": "16",
        "Sequence length": "256", "Evaluation data": "kjv-heldout",
      ]
      for (label, value) in fields { try await page.fill(label, value) }
      // Everything that the status says from now on.
      try await page.evaluate(
        """
        window.loadedOnce = true; window.seen = [];
        new MutationObserver(() => {
          const text = document.querySelector('.subtitle .badge')?.innerText;
          if (text && seen.at(-1) !== text) seen.push(text);
        }).observe(document.body, { childList: true, subtree: true, characterData: true });
        document.querySelector('form').requestSubmit();
        """)
      try await page.wait(
        for: "document.querySelector('.subtitle .badge')?.innerText === 'succeeded' && document.querySelector('#report-heading')")
      #expect(try await page.evaluate("window.loadedOnce").boolValue == true)
      let seen = try await page.evaluate("window.seen").arrayValue?.compactMap(\.stringValue) ?? []
      #expect(seen.contains("running") && seen.last == "succeeded", "\(seen)")
      let place = try #require(try await page.evaluate("location.hash").stringValue)
      let job = try await site.server.client.get(Job.self, "/v1/jobs/\(place.dropFirst("#/jobs/".count))")
      let events = try await site.server.client.send("GET", "/v1/jobs/\(job.id)/events", headers: ["Accept": "text/event-stream"])
      let asked = try await page.evaluate("performance.getEntriesByType('resource').some((entry) => entry.name.includes('wait='))")
        .boolValue
      #expect(asked == (events.headers["content-type"] != "text/event-stream"), "the page asks only where there is no stream")
      #expect(job.request.quantization.groupSize == 64 && job.request.calibration?.samples == 16)
      try await expectLayers(page, try await layers(site, job), try await attempts(site, job))
      try await expectReport(page, job)
      try await expectFiles(page, job, site)
      #expect(page.complaints() == [])
      try await page.close()
    }

    func expectLayers(_ page: BrowserPage, _ layers: [LayerRecord], _ attempts: [AttemptRecord]) async throws {
      try await page.wait(for: "document.querySelectorAll('tr[data-layer] .badge.done').length === \(layers.count)")
      let rows = try await page.evaluate(
        "[...document.querySelectorAll('tr[data-layer]')].map((row) => [...row.children].map((cell) => cell.innerText))")
      #expect(rows.arrayValue?.count == layers.count)
      for (row, layer) in zip(rows.arrayValue ?? [], layers) {
        let texts = (row.arrayValue ?? []).compactMap(\.stringValue)
        #expect(texts[0] == layer.name && texts[1] == layer.state.rawValue && texts[2] == "gptq, 4 bits")
        #expect(texts[5] == Formatting.significant(layer.relativeLoss), "\(layer.name)")
        #expect(texts[6] == Formatting.shape(layer.shape))
        #expect(texts[9] == Formatting.fixed(layer.seconds ?? -1, 2), "\(layer.name)")
      }
      #expect(try await page.evaluate("document.querySelectorAll('.chart .dot').length").intValue == layers.count)
      let marks = try await page.evaluate("document.querySelectorAll('figure .chart .attempt').length").intValue
      #expect(marks == attempts.count)
      let worst = try #require(layers.max { ($0.relativeLoss ?? 0) < ($1.relativeLoss ?? 0) })
      let sentence = try await page.text("figure p")
      #expect(sentence.contains("most \(Formatting.significant(worst.relativeLoss)) in \(worst.name)"), "\(sentence)")
    }

    func expectReport(_ page: BrowserPage, _ job: Job) async throws {
      let report = try #require(job.report)
      let shown = try await page.text("section[aria-labelledby=report-heading]")
      let (before, after) = (try #require(report.perplexityBefore), try #require(report.perplexityAfter))
      for text in [
        Formatting.fixed(before, 4), Formatting.fixed(after, 4), Formatting.significant(report.meanRelativeLoss), "\(report.layers)",
      ] {
        #expect(shown.contains(text), "\(text) in \(shown)")
      }
      let warnings = try await page.texts("section[aria-labelledby=warnings-heading] li")
      #expect(job.warnings.allSatisfy(warnings.contains), "\(warnings)")
    }

    func expectFiles(_ page: BrowserPage, _ job: Job, _ site: DashboardSite) async throws {
      let result = try #require(job.result)
      #expect(try await page.texts("section[aria-labelledby=downloads-heading] tbody th") == result.files.map(\.path))
      let line = "HF_TOKEN=$GPTQD_TOKEN HF_ENDPOINT=\(site.url.dropLast()) hf download jobs/\(job.id) --local-dir tiny-qwen2-kjv-gptq"
      #expect(try await page.text("[aria-label=\"Command for Hugging Face’s client\"]") == line)
      let folder = site.server.folder.appending(component: "downloads")
      try await page.saveDownloads(to: folder)
      let file = "model.safetensors"
      try await page.evaluate("document.querySelector('[aria-label=\"Download \(file)\"]').click()")
      let bytes = try await site.server.client.send("GET", "/v1/jobs/\(job.id)/artifacts/\(file)").body
      let saved = folder.appending(component: file)
      for _ in 0..<1000 where (try? Data(contentsOf: saved))?.count != bytes.count { try await Task.sleep(for: .milliseconds(20)) }
      #expect(try Data(contentsOf: saved) == bytes)
    }

    @Test("What the API refuses is shown at its field, in the API's words; the summary leads there")
    func formErrors() async throws {
      let site = try site()
      let page = try await site.page()
      try await page.evaluate("location.hash = '#/new'")
      try await page.waitForHeading("New job")
      for (label, value) in [
        ("Model", "no/such"), ("Group size", "many"), ("Calibration data", ""), ("First damping", "7"), ("Escalate samples", "9, 3"),
      ] {
        try await page.fill(label, value)
      }
      try await page.evaluate("document.querySelector('form').requestSubmit()")
      try await page.wait(for: "document.querySelectorAll('.notice.bad li').length === 5")
      let body = """
        {"model": "no/such", "quantization": {"group_size": "many", "damp_percent": 7}, "recovery": {"escalate_samples": [9, 3]}}
        """
      let problem = try #require(try await site.server.refusal(body))
      let errors = try #require(problem.errors)
      #expect(errors.count == 5)
      let labels = [
        "/model": "Model", "/quantization/group_size": "Group size", "/quantization/damp_percent": "First damping",
        "/recovery/escalate_samples/1": "Escalate samples", "/calibration": "Calibration data",
      ]
      for error in errors {
        let label = try #require(labels[error.pointer], "\(error.pointer)")
        let described = try await page.evaluate(
          """
          (() => { const control = \(BrowserPage.control(label));
            return control.getAttribute('aria-invalid') === 'true' && control.checkVisibility()
              && control.getAttribute('aria-describedby').split(' ').map((id) => document.getElementById(id).innerText).join(' ') })()
          """
        ).stringValue
        #expect(described?.contains(error.detail) == true, "\(label): \(described ?? "nothing")")
      }
      #expect(try await page.evaluate("document.activeElement.matches('.notice')").boolValue == true)
      #expect(try await page.accessibilityFaults() == [])
      try await page.tab(to: "Model " + (errors.first { $0.pointer == "/model" }?.detail ?? ""))
      try await page.press(.enter)
      #expect(try await page.focusedName() == "Model")
      // What is no JSON can't be sent, and is told in the same way.
      try await page.fill("Rules", "{")
      try await page.evaluate("document.querySelector('form').requestSubmit()")
      try await page.wait(for: "document.querySelector('.notice.bad li')?.innerText.includes('is not JSON')")
      #expect(page.complaints() == [])
      try await page.close()
    }

    @Test("A failed layer shows every attempt by its cause; a retry with another policy is watched to a degraded end")
    func ladder() async throws {
      let site = try site()
      let failed = try await layersJob(site, coupling: 5)
      #expect(failed.status == .failed)
      let page = try await site.page("#/jobs/\(failed.id)")
      try await page.wait(for: "document.querySelector('#error-heading')")
      // From here on as with a server that has no stream: the page asks again and again.
      try await page.evaluate(
        "(() => { const original = fetch; window.fetch = (url, options) => { delete options.headers.Accept; return original(url, options); } })()"
      )
      let shown = try await page.text("section.notice.bad")
      let error = try #require(failed.error)
      for text in [error.layer, error.detail, error.tried, error.advice] { #expect(shown.contains(try #require(text))) }
      try await page.evaluate("document.querySelector('section.notice.bad button').click()")
      try await page.wait(for: "document.querySelector('tr.detail table')")
      let attempts = try await attempts(site, failed).filter { $0.layer == "bad" }
      let causes = try await page.evaluate("[...document.querySelectorAll('tr.detail .ladder .attempt')].map((mark) => mark.classList[1])")
      #expect(
        causes.arrayValue?.compactMap(\.stringValue) == attempts.map { $0.outcome == .succeeded ? "succeeded" : $0.cause?.rawValue ?? "" })
      let rows = try await page.evaluate(
        "[...document.querySelectorAll('tr.detail tbody tr:not(.note)')].map((row) => [...row.children].map((cell) => cell.innerText))")
      for (row, attempt) in zip(rows.arrayValue ?? [], attempts) {
        let texts = (row.arrayValue ?? []).compactMap(\.stringValue)
        #expect(texts[1] == "\(attempt.number)" && texts[2] == attempt.outcome.rawValue && texts[6] == attempt.precision.rawValue)
        #expect(texts[9] == "\(attempt.info)" && texts[10] == Formatting.significant(attempt.smallestPivot))
      }
      #expect(rows.arrayValue?.count == attempts.count)
      #expect(try await page.accessibilityFaults() == [])

      try await page.evaluate("[...document.querySelectorAll('.heading button')].find((button) => button.innerText === 'Retry…').click()")
      try await page.wait(for: "document.querySelector('dialog[open]')")
      #expect(try await page.accessibilityFaults() == [])
      try await page.evaluate("\(BrowserPage.control("A layer that nothing cures")).value = 'keep'")
      try await page.evaluate(
        "[...document.querySelectorAll('dialog button')].find((button) => button.innerText === 'Retry the job').click()")
      try await page.wait(
        for: "[...document.querySelectorAll('.subtitle .badge')].map((badge) => badge.innerText).join() === 'succeeded,degraded'")
      try await page.wait(for: "document.querySelector('tr[data-layer=bad] .badge').innerText === 'degraded: incurable'")
      #expect(try await page.text("section[aria-labelledby=report-heading] li") == "bad: left in 16 bits, since incurable")
      let asked = "performance.getEntriesByType('resource').some((entry) => entry.name.includes('wait='))"
      #expect(try await page.evaluate(asked).boolValue == true)
      #expect(page.complaints() == [])
      try await page.close()
    }
  }
}
