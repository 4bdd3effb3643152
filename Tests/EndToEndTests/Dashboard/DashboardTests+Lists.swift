import Checkpoint
import Foundation
import JobModel
import StrictJSON
import Testing
import gptqctl

/// Many jobs, many layers, hostile names, broken streams.
extension ProgramTests.DashboardTests {
  @Test("The list is filtered, goes on page by page, and follows what happens")
  func list() async throws {
    try await EngineServer.run { server in
      let browser = try #require(DashboardSite.current).browser
      try RecoveryJobTests.writeLayers(coupling: 0.1, to: server.models)
      let request = #"{"kind": "layers", "model": "captured", "quantization": {"group_size": 8}}"#
      var ids: [String] = []
      for _ in 0..<27 { ids.append(try await server.submit(request).id.text) }
      // Without tokens, the page is there at once.
      let page = try await BrowserPage(browser)
      try await page.open(server.client.base.absoluteString + "/")
      try await page.wait(for: "document.querySelectorAll('tr[data-job]').length === 25")
      let shown = "[...document.querySelectorAll('tr[data-job]')].map((row) => row.dataset.job)"
      #expect(try await page.evaluate(shown).arrayValue?.compactMap(\.stringValue) == ids.reversed().prefix(25).map { $0 })
      try await page.wait(for: "document.querySelectorAll('tr[data-job] .badge.succeeded').length === 25")
      try await page.evaluate("document.querySelector('[aria-label=\"Pages of the list\"] a').click()")
      try await page.wait(for: "document.querySelectorAll('tr[data-job]').length === 2")
      #expect(try await page.evaluate(shown).arrayValue?.compactMap(\.stringValue) == ids.reversed().suffix(2).map { $0 })
      try await page.evaluate(
        "(() => { const filter = document.getElementById('status-filter'); filter.value = 'failed'; filter.dispatchEvent(new Event('change')) })()"
      )
      try await page.wait(for: "document.querySelector('main').innerText.includes('No job here.')")
      #expect(try await page.evaluate("location.hash") == "#/jobs?status=failed")
      // Another daemon's pages may not be told of this one: the policy allows none.
      #expect(page.complaints() == [])
      try await page.close()
    }
  }

  @Test("300 layers are there at once, a part of them as rows; names of layers are text, whatever they are")
  func manyLayers() async throws {
    let site = try site()
    let hostile = #"<img src=x onerror="document.title='broken'">/../%2e?#&'\"#
    let names = [hostile] + (0..<299).map { "model.layers.\($0 / 7).part\($0 % 7)" }
    try writeLayers(names, to: site.server.models.appending(component: "many.safetensors"))
    let submitted = try await site.server.submit(#"{"kind": "layers", "model": "many", "quantization": {"group_size": 8}}"#)
    let job = try await site.server.ended(submitted.id)
    try #require(job.status == .succeeded, "\(job.error?.detail ?? "")")
    let page = try await site.page("#/jobs/\(job.id)")
    try await page.wait(for: "document.querySelectorAll('.chart .dot').length === 300")
    #expect(try await page.evaluate("document.querySelectorAll('tr[data-layer]').length").intValue == 100)
    // Drawn again and again, as while a job runs.
    let drawing =
      try await page.evaluate(
        """
        (() => { const control = document.getElementById('highlight'); const start = performance.now();
          for (let index = 0; index < 20; index += 1) {
            control.selectedIndex = index % 3;
            control.dispatchEvent(new Event('change'));
            document.body.offsetHeight;
          }
          return (performance.now() - start) / 20; })()
        """
      ).doubleValue ?? .infinity
    #expect(drawing < 250, "\(drawing) ms to draw the charts")
    try await page.evaluate(
      "[...document.querySelectorAll('button')].find((button) => button.innerText.startsWith('Show 100 more')).click()")
    try await page.wait(for: "document.querySelectorAll('tr[data-layer]').length === 200")
    let row = "[...document.querySelectorAll('tr[data-layer]')].find((row) => row.dataset.layer === \(BrowserPage.quoted(hostile)))"
    #expect(try await page.evaluate("\(row).querySelector('button').textContent").stringValue == hostile)
    try await page.evaluate("\(row).querySelector('button').click()")
    try await page.wait(for: "document.querySelector('tr.detail .ladder')")
    #expect(try await page.evaluate("document.querySelectorAll('main img').length").intValue == 0)
    #expect(try await page.evaluate("document.title").stringValue == "many · gptqd")
    #expect(page.complaints() == [])
    try await page.close()
  }

  private func writeLayers(_ names: [String], to file: URL) throws {
    let weight = (0..<64).map { Float(($0 * 37 % 41) - 20) / 20 }
    let hessian = (0..<64).map { Float($0 % 9 == 0 ? 1 : 0) }
    let tensors = names.flatMap { [("\($0).hessian", hessian), ("\($0).weight", weight)] }.sorted { $0.0 < $1.0 }
    var writer = try SafetensorsWriter(file, tensors: tensors.map { TensorInfo(name: $0.0, type: .float32, shape: [8, 8]) }, metadata: [:])
    for (name, values) in tensors { try values.withUnsafeBytes { try writer.write($0, of: name) } }
    try writer.finish()
  }

  @Test("A running job is cancelled and taken up again; the page follows")
  func cancelAndRetry() async throws {
    let site = try site()
    let request = """
      {"model": "tiny-qwen2-kjv", "quantization": {"group_size": 64},
       "calibration": {"dataset": "kjv-calibration", "samples": 512, "sequence_length": 512}}
      """
    let job = try await site.server.submit(request)
    let page = try await site.page("#/jobs/\(job.id)")
    try await page.wait(for: "document.querySelector('.subtitle .badge')?.innerText === 'running'")
    try await page.wait(for: "document.querySelector('#progress-heading')?.parentElement.innerText.includes('layers')")
    #expect(try await page.accessibilityFaults() == [])
    try await page.evaluate("[...document.querySelectorAll('.heading button')].find((button) => button.innerText === 'Cancel…').focus()")
    try await page.press(.enter)
    try await page.wait(for: "document.querySelector('dialog[open]')")
    try await page.evaluate(
      "[...document.querySelectorAll('dialog button')].find((button) => button.innerText === 'Cancel the job').click()")
    try await page.wait(for: "document.querySelector('.subtitle .badge').innerText === 'cancelled'")
    try await page.wait(for: "document.activeElement.tagName === 'H1'")
    #expect(try await site.server.client.get(Job.self, "/v1/jobs/\(job.id)").status == .cancelled)
    // Deleted by somebody else: the page says so.
    _ = try await site.server.client.send("POST", "/v1/jobs/\(job.id)/retry")
    _ = try await site.server.client.send("POST", "/v1/jobs/\(job.id)/cancel")
    _ = try await site.server.ended(job.id)
    _ = try await site.server.client.send("DELETE", "/v1/jobs/\(job.id)")
    try await page.evaluate("[...document.querySelectorAll('.heading button')].find((button) => button.innerText === 'Retry…').click()")
    try await page.evaluate(
      "[...document.querySelectorAll('dialog button')].find((button) => button.innerText === 'Retry the job').click()")
    try await page.wait(for: "document.querySelector('dialog .notice.bad')?.innerText.includes('no job has the id')")
    #expect(page.complaints() == [])
    try await page.close()
  }

  @Test("A job is submitted again with the form as it was asked for, defaults and empty lists included")
  func again() async throws {
    let site = try site()
    let job = try await layersJob(site, coupling: 1.15)
    let page = try await site.page("#/new?from=\(job.id)")
    try await page.waitForHeading("New job")
    try await page.evaluate("document.querySelector('form').requestSubmit()")
    try await page.waitForHeading("captured")
    let place = try #require(try await page.evaluate("location.hash").stringValue)
    let second = try await site.server.client.get(Job.self, "/v1/jobs/\(place.dropFirst("#/jobs/".count))")
    #expect(second.id != job.id && second.request == job.request)
    #expect(page.complaints() == [])
    try await page.close()
  }

  @Test("Events are read from pieces of any length, with comments, ids and lines of several kinds")
  func eventPieces() async throws {
    let site = try site()
    let page = try await site.page()
    let stream =
      "retry: 2000\n\n: heartbeat\n\nevent: job\ndata: {\"a\":1}\n\nid: 41\nevent: stage\ndata: ä\ndata:b\n\nid: 7\n\nnonsense\n\ndata: x\n\ndata: cut"
    let messages = try await page.evaluate(
      """
      import('/dashboard/event-stream.js').then(({ EventParser }) => [1, 2, 3, 7, 1000].map((size) => {
        const parser = new EventParser(); const text = \(BrowserPage.quoted(stream)); const messages = [];
        for (let at = 0; at < text.length; at += size) messages.push(...parser.push(text.slice(at, at + size)));
        return messages; }))
      """)
    let expected: JSONValue = [
      ["event": "job", "data": "{\"a\":1}"], ["id": "41", "event": "stage", "data": "ä\nb"], ["event": "message", "data": "x"],
    ]
    #expect(messages.arrayValue?.count == 5)
    for each in messages.arrayValue ?? [] {
      #expect(each.arrayValue?.map { $0.objectValue } == expected.arrayValue?.map { $0.objectValue })
    }
    try await page.close()
  }
}
