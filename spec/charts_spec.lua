local codecell = require "codecell"
local one_sandbox = require "spec.support.one_sandbox"

local null = codecell.json.null

--- Without what is null, which clients take as not there.
local function present(value)
  if type(value) ~= "table" then
    return value
  end
  local made = {}
  for key, inner in pairs(value) do
    if inner ~= null then
      made[key] = present(inner)
    end
  end
  return made
end

--- The same chart without what matplotlib chose for its axes.
local function without_axes(chart)
  for _, name in ipairs({ "ticks", "tick_labels", "scale" }) do
    chart["x_" .. name], chart["y_" .. name] = nil, nil
  end
  for _, element in ipairs(chart.type == "superchart" and chart.elements or {}) do
    without_axes(element)
  end
  return chart
end

local function bar(label, group, value)
  return { label = label, group = group, value = value }
end

local function slice(label, angle)
  return { label = label, angle = angle, radius = 1 }
end

describe("charts and tables as data #user", function()
  local sandbox = one_sandbox(teardown)

  local function run(code)
    local execution = codecell.assert(sandbox():run_code(code))
    assert.is_nil(execution.error)
    return execution
  end

  local packages = {}

  --- False if it is there; else the test is pending.
  local function lacks(name)
    if packages[name] == nil then
      packages[name] = run("import importlib.util\n"
        .. ("importlib.util.find_spec(%q) is not None"):format(name)).text == "True"
    end
    return not packages[name] and (pending(name .. " is not installed") or true)
  end

  local function last(code)
    local results = run(code).results
    return results[#results]
  end

  --- What is left of the chart of a figure that is drawn by this code.
  local function drawn(code)
    return present(last("import matplotlib.pyplot as plt\n" .. code .. "\nplt.show()").chart)
  end

  describe("of matplotlib", function()
    it("line: points, labels, units, ticks and scales #E13 #E19", function()
      if lacks "matplotlib" then return end
      assert.same({
        type = "line", title = "Lines",
        x_label = "Time (s)", x_unit = "s", y_label = "Speed [m/s]", y_unit = "m/s",
        x_ticks = { 1, 2 }, x_tick_labels = { "1", "2" }, x_scale = "linear",
        y_ticks = { 10, 20 }, y_tick_labels = { "low", "high" }, y_scale = "linear",
        elements = {
          { label = "up", points = { { 1, 10 }, { 2, 20 } } },
          { label = "Line 1", points = { { 1, 20 }, { 2, 10 } } },
        },
      }, drawn [[
plt.plot([1, 2], [10, 20], label='up')
plt.plot([1, 2], [20, 10])
plt.title('Lines')
plt.xlabel('Time (s)')
plt.ylabel('Speed [m/s]')
plt.xticks([1, 2])
plt.yticks([10, 20], ['low', 'high'])]])
    end)

    it("line over dates: ISO 8601, and a scale of dates", function()
      if lacks "matplotlib" then return end
      local chart = drawn [[
import datetime
days = [datetime.date(2024, 1, day) for day in (1, 2)]
plt.plot(days, [3, 4])
plt.xticks(days)]]
      assert.equal("datetime", chart.x_scale)
      assert.same({ "2024-01-01T00:00:00+00:00", "2024-01-02T00:00:00+00:00" }, chart.x_ticks)
      assert.same({ { "2024-01-01", 3 }, { "2024-01-02", 4 } }, chart.elements[1].points)
    end)

    it("scales: log, symlog, logit, function, names", function()
      if lacks "matplotlib" then return end
      for code, scale in pairs({
        ["plt.plot([1, 10, 100]); plt.yscale('log')"] = "log",
        ["plt.plot([1, 10, 100]); plt.yscale('symlog')"] = "symlog",
        ["plt.plot([0.1, 0.5, 0.9]); plt.yscale('logit')"] = "logit",
        ["plt.plot([1, 2, 3]); plt.yscale('function', functions=(lambda x: x, lambda x: x))"] =
          "function",
        ["plt.plot([1, 2], ['a', 'b'])"] = "categorical",
      }) do
        assert.equal(scale, drawn(code).y_scale)
      end
    end)

    it("numbers that JSON has not are strings", function()
      if lacks "matplotlib" then return end
      assert.same({ { 0, 1 }, { 1, "NaN" }, { 2, "Infinity" } },
        drawn("plt.plot([1, float('nan'), float('inf')])").elements[1].points)
    end)

    it("scatter", function()
      if lacks "matplotlib" then return end
      assert.same({
        type = "scatter",
        elements = {
          { label = "A", points = { { 1, 4 }, { 2, 5 } } },
          { label = "B", points = { { 3, 6 } } },
        },
      }, without_axes(drawn("plt.scatter([1, 2], [4, 5], label='A')\n"
        .. "plt.scatter([3], [6], label='B')")))
    end)

    it("bars: one series, groups, stacks", function()
      if lacks "matplotlib" then return end
      assert.same({
        type = "bar", x_label = "who", y_label = "n",
        elements = { bar("a", "Group 0", 1), bar("b", "Group 0", 2) },
      }, drawn("plt.bar(['a', 'b'], [1, 2]); plt.xlabel('who'); plt.ylabel('n')"))
      assert.same({
        bar("2023", "men", 1), bar("2024", "men", 2), bar("2023", "women", 4),
        bar("2024", "women", 3),
      }, drawn([[
plt.bar([-0.2, 0.8], [1, 2], 0.4, label='men')
plt.bar([0.2, 1.2], [4, 3], 0.4, label='women')
plt.xticks([0, 1], ['2023', '2024'])]]).elements)
      assert.same({ bar("a", "low", 1), bar("b", "low", 2), bar("a", "high", 3),
        bar("b", "high", 5) }, drawn([[
plt.bar(['a', 'b'], [1, 2], label='low')
plt.bar(['a', 'b'], [3, 5], bottom=[1, 2], label='high')]]).elements)
    end)

    it("bars that lie change the labels of their axes", function()
      if lacks "matplotlib" then return end
      assert.same({
        type = "bar", x_label = "who", y_label = "n (kg)", y_unit = "kg",
        elements = { bar("a", "Group 0", 1), bar("b", "Group 0", 2) },
      }, drawn("plt.barh(['a', 'b'], [1, 2]); plt.xlabel('n (kg)'); plt.ylabel('who')"))
    end)

    it("a histogram is bars", function()
      if lacks "matplotlib" then return end
      local chart = drawn("plt.hist([1, 2, 2, 3, 3, 3], bins=3)")
      assert.equal("bar", chart.type)
      for index = 1, 3 do
        assert.equal(index, chart.elements[index].value)
      end
    end)

    it("pie and ring", function()
      if lacks "matplotlib" then return end
      local slices = { slice("a", 60), slice("b", 120), slice("c", 180) }
      assert.same({ type = "pie", title = "P", elements = slices }, drawn(
        "plt.pie([1, 2, 3], labels=['a', 'b', 'c'], autopct='%d%%'); plt.title('P')"))
      assert.same(slices, drawn(
        "plt.pie([1, 2, 3], labels=['a', 'b', 'c'], wedgeprops={'width': 0.4})").elements)
    end)

    it("boxes, standing and lying", function()
      if lacks "matplotlib" then return end
      local boxes = {
        { label = "a", min = 1, first_quartile = 2, median = 3, third_quartile = 4, max = 5,
          outliers = {} },
        { label = "b", min = 2, first_quartile = 4, median = 6, third_quartile = 8, max = 9,
          outliers = {} },
      }
      local code = [=[
plt.boxplot([[1, 2, 3, 4, 5], [2, 4, 6, 8, 9]], patch_artist=True, vert=%s)
plt.%sticks([1, 2], ['a', 'b'])
plt.ylabel('v (kg)')]=]
      assert.same({ type = "box_and_whisker", y_label = "v (kg)", y_unit = "kg",
        elements = boxes }, drawn(code:format("True", "x")))
      local lying = drawn(code:format("False", "y"))
      assert.equal("v (kg)", lying.x_label)
      for index, box in ipairs(lying.elements) do
        boxes[index].label = box.label
      end
      assert.same(boxes, lying.elements)
    end)

    it("several axes are a superchart, axes that share a place too", function()
      if lacks "matplotlib" then return end
      assert.same({
        type = "superchart", title = "Both",
        elements = {
          { type = "line", title = "left",
            elements = { { label = "l", points = { { 0, 1 }, { 1, 2 } } } } },
          { type = "bar", elements = { bar("p", "Group 0", 1), bar("q", "Group 0", 2) } },
        },
      }, without_axes(drawn [[
figure, (left, right) = plt.subplots(1, 2)
left.plot([1, 2], label='l')
left.set_title('left')
right.bar(['p', 'q'], [1, 2])
figure.suptitle('Both')]]))
      local twins = drawn "figure, one = plt.subplots()\none.plot([1, 2])\none.twinx().plot([5, 6])"
      assert.equal("superchart", twins.type)
      assert.same({ { 0, 5 }, { 1, 6 } }, twins.elements[2].elements[1].points)
    end)

    it("a mixture, a picture and contours are unknown", function()
      if lacks "matplotlib" then return end
      for _, code in ipairs({
        "plt.plot([1, 2]); plt.scatter([1, 2], [4, 3])", "plt.imshow([[1, 2], [3, 4]])",
        "plt.contour([[1, 2], [3, 4]])", "plt.fill_between([0, 1], [1, 2])",
        "plt.errorbar([1, 2], [3, 4], yerr=1)", "plt.stem([1, 2])",
      }) do
        assert.same({ type = "unknown", elements = {} }, drawn(code))
      end
    end)

    it("lines in space and round the pole are lines", function()
      if lacks "matplotlib" then return end
      assert.equal("line", drawn("plt.polar([0, 1, 2], [1, 2, 3])").type)
      assert.equal("line", drawn("plt.figure().add_subplot(projection='3d')"
        .. ".plot([1, 2], [3, 4], [5, 6])").type)
    end)

    it("a figure without anything drawn in it has no chart", function()
      if lacks "matplotlib" then return end
      assert.is_nil(drawn("plt.subplots(); plt.title('T')"))
      assert.is_nil(drawn("plt.figure()"))
    end)

    it("the chart of a million points is left out, the picture stays", function()
      if lacks "matplotlib" then return end
      local execution = run("import matplotlib.pyplot as plt\nimport numpy\n"
        .. "plt.plot(numpy.arange(1000000)); plt.show()")
      assert.same({ "png", "text" }, execution.results[1]:formats())
      assert.truthy(table.concat(execution.logs.stderr):find("more than 50000 points", 1, true))
    end)

    it("artists that raise leave a cell as it is", function()
      if lacks "matplotlib" then return end
      local execution = run [[
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D
class Odd(Line2D):
    def get_xdata(self, orig=True):
        if orig: raise RuntimeError('odd')
        return super().get_xdata(orig)
figure, axes = plt.subplots()
axes.add_line(Odd([0, 1, 2], [0, 1, 2]))
plt.show()
'after']]
      assert.equal("after", execution.text)
      assert.same({ "png", "text" }, execution.results[1]:formats())
    end)

    it("a picture that cannot be drawn is the error, the chart and the cell go on", function()
      if lacks "matplotlib" then return end
      local execution = codecell.assert(sandbox():run_code(
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.title('$\\\\frac$'); plt.show()\n"
        .. "print('after')"))
      assert.equal("ValueError", execution.error.name)
      assert.same({ "chart", "text" }, execution.results[1]:formats())
      assert.same({ "after\n" }, execution.logs.stdout)
    end)

    it("figures come in order, each with its picture and its chart", function()
      if lacks "matplotlib" then return end
      local results = run([[
import matplotlib.pyplot as plt
for number in range(3):
    plt.figure()
    plt.plot([number, number + 1])
plt.show()
plt.plot([9, 8])
figure = plt.gcf()
figure]]).results
      assert.equal(5, #results)
      for index, result in ipairs(results) do
        assert.same({ "chart", "png", "text" }, result:formats())
        assert.equal("\137PNG", result.png:sub(1, 4))
        assert.equal(index == 4, result.is_main_result)
        assert.equal(index <= 3 and index - 1 or 9,
          result.chart.elements[1].points[1][2])
      end
    end)

    it("figures are drawn all the same where IPython was asked for", function()
      if lacks "matplotlib" then return end
      assert.equal("line", drawn("from IPython.display import display\n"
        .. "import matplotlib_inline.backend_inline\nplt.plot([1, 2])").type)
    end)

    it("plt.ioff() keeps figures until they are shown, %matplotlib inline takes them back",
      function()
        if lacks "matplotlib" then return end
        local code = "import matplotlib.pyplot as plt\nplt.close(plt.figure())\nplt.ioff()\n"
          .. "plt.plot([1, 2]);"
        assert.same({}, run(code).results)
        assert.equal("line", drawn("plt.ion()").type)
        assert.same({}, run("plt.switch_backend('agg')\nplt.plot([1, 2]); plt.show()").results)
        assert.equal("line", last("%matplotlib inline\nplt.plot([1, 2]);").chart.type)
      end)

    it("a cell chooses the formats of its figures", function()
      if lacks "matplotlib" then return end
      local function formats_of(names)
        return last(("%%config InlineBackend.figure_formats = %s\n"):format(names)
          .. "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()"):formats()
      end
      assert.same({ "chart", "pdf", "svg", "text" }, formats_of("['svg', 'pdf']"))
      assert.same({ "chart", "png", "text" }, formats_of("['retina']"))
      assert.same({ "chart", "png", "text" }, formats_of("['png']"))
    end)

    it("what pandas draws is a chart", function()
      if lacks "matplotlib" or lacks "pandas" then return end
      assert.same({
        type = "bar",
        elements = { bar("x", "a", 1), bar("y", "a", 3), bar("x", "b", 2), bar("y", "b", 4) },
      }, drawn("import pandas\n"
        .. "pandas.DataFrame({'a': [1, 3], 'b': [2, 4]}, index=['x', 'y']).plot.bar()"))
    end)

    it("what seaborn draws is a chart", function()
      if lacks "seaborn" then return end
      assert.equal("bar", drawn("import seaborn; seaborn.barplot(x=['a', 'b'], y=[1, 2])").type)
    end)
  end)

  describe("of other libraries", function()
    it("plotly: the JSON of a figure is a chart", function()
      local function of(figure)
        return present(last("class Figure:\n  def _repr_mimebundle_(self, **options):\n    return "
          .. "{'application/vnd.plotly.v1+json': " .. figure .. "}\nFigure()").chart)
      end
      assert.same({
        type = "bar", title = "T", x_label = "who", y_label = "n (kg)", y_unit = "kg",
        elements = { bar("a", "g", 1), bar("b", "g", 2) },
      }, of [[{'data': [{'type': 'bar', 'x': ['a', 'b'], 'y': [1, 2], 'name': 'g'}],
               'layout': {'title': {'text': 'T'}, 'xaxis': {'title': {'text': 'who'}},
                          'yaxis': {'title': {'text': 'n (kg)'}}}}]])
      assert.same({ { label = "Line 0", points = { { 1, 3 }, { 2, 4 } } } }, of([[{'data': [
        {'type': 'scatter', 'mode': 'lines', 'x': [1, 2],
         'y': {'dtype': 'i1', 'bdata': 'AwQ='}}]}]]).elements)
      assert.same({ slice("a", 270), slice("b", 90) }, of(
        "{'data': [{'type': 'pie', 'labels': ['a', 'b', 'a'], 'values': [2, 1, 1]}]}").elements)
      assert.same({ { label = "trace 0", min = 1, first_quartile = 2, median = 3.5,
        third_quartile = 5, max = 5, outliers = { 30 } } }, of(
        "{'data': [{'type': 'box', 'y': [1, 2, 3, 4, 5, 30]}]}").elements)
      assert.same({ bar("a", "Group 0", 2), bar("b", "Group 0", 1) },
        of("{'data': [{'type': 'histogram', 'x': ['a', 'b', 'a']}]}").elements)
      assert.equal("unknown", of("{'data': [{'type': 'histogram', 'x': [1, 2, 1]}]}").type)
      assert.equal("superchart", of([[{'data': [{'type': 'bar', 'y': [1]},
        {'type': 'bar', 'y': [1], 'xaxis': 'x2', 'yaxis': 'y2'}]}]]).type)
      assert.is_nil(of("{'data': 5, 'layout': []}"))
    end)

    it("plotly: a figure is a chart as a value, and what show() displays is as it was", function()
      if lacks "plotly" then return end
      local code = "import plotly.graph_objects as go\nfigure = go.Figure(go.Bar(x=['a'], y=[1]))\n"
      for _, line in ipairs({ "figure", "display(figure)" }) do
        assert.same({ bar("a", "Group 0", 1) }, present(last(code .. line).chart).elements)
      end
      assert.is_nil(last(code .. "figure.show()").chart)
    end)

    it("altair", function()
      if lacks "altair" or lacks "pandas" then return end
      assert.same({
        type = "bar", title = "T", x_label = "a", y_label = "Sum of b",
        elements = { bar("x", "Group 0", 4), bar("y", "Group 0", 2) },
      }, present(last([[
import altair, pandas
table = pandas.DataFrame({'a': ['x', 'y', 'x'], 'b': [1, 2, 3]})
altair.Chart(table).mark_bar().encode(x='a', y='sum(b)').properties(title='T')]]).chart))
    end)

    it("bokeh", function()
      if lacks "bokeh" then return end
      local code = [[
from bokeh.plotting import figure, show
from bokeh.io import output_notebook
output_notebook()
plot = figure(title='T', x_axis_label='x (s)')
plot.line([1, 2], [3, 4], legend_label='l')
]]
      for _, line in ipairs({ "plot", "show(plot)" }) do
        local chart = present(last(code .. line).chart)
        assert.equal("s", chart.x_unit)
        assert.same({ { label = "l", points = { { 1, 3 }, { 2, 4 } } } }, chart.elements)
      end
    end)
  end)

  describe("tables", function()
    local function table_of(code)
      return last("import pandas, datetime, decimal\n" .. code).data
    end

    it("columns to values, as the value of a cell and displayed #E13", function()
      if lacks "pandas" then return end
      local code = "table = pandas.DataFrame({'name': ['Ann', 'Bob'], 'age': [31, 42]})\n"
      local expected = { name = { "Ann", "Bob" }, age = { 31, 42 } }
      assert.same(expected, table_of(code .. "table"))
      assert.same(expected, table_of(code .. "display(table)"))
      assert.same({ "data", "html", "text" }, last(code .. "table"):formats())
    end)

    it("dates are ISO 8601, what is missing is null, what is no number a string", function()
      if lacks "pandas" then return end
      assert.same({
        day = { "2024-01-01T00:00:00", "NaT" },
        date = { "2024-01-02", null },
        value = { 1.5, "NaN" },
        long = { "1 days 00:00:00", "2 days 00:00:00" },
        price = { "1.50", "2.50" },
        kind = { "a", "b" },
        inner = { { 1, 2 }, { a = "2024-01-01" } },
        bytes = { "eA==", "eQ==" },
      }, table_of [[
pandas.DataFrame({
    'day': [pandas.Timestamp('2024-01-01'), pandas.NaT],
    'date': [datetime.date(2024, 1, 2), None],
    'value': [1.5, None],
    'long': pandas.to_timedelta([1, 2], 'D'),
    'price': [decimal.Decimal('1.50'), decimal.Decimal('2.50')],
    'kind': pandas.Categorical(['a', 'b']),
    'inner': [(1, 2), {'a': datetime.date(2024, 1, 1)}],
    'bytes': [b'x', b'y']})]])
    end)

    it("names of columns are texts: numbers, pairs, the same twice", function()
      if lacks "pandas" then return end
      assert.same({ ["0"] = { 1 }, ["1"] = { 2 } }, table_of "pandas.DataFrame([[1, 2]])")
      assert.same({ a = { 2 } }, table_of "pandas.DataFrame([[1, 2]], columns=['a', 'a'])")
      assert.same({ ["('a', 'b')"] = { 1 } },
        table_of "pandas.DataFrame({('a', 'b'): [1]})")
      assert.same({}, table_of "pandas.DataFrame()")
    end)

    it("a series is none; a huge table has no data, and its text all the same", function()
      if lacks "pandas" then return end
      assert.is_nil(table_of "pandas.Series([1, 2])")
      local result = last "import pandas\npandas.DataFrame({'a': range(300000)})"
      assert.is_nil(result.data)
      assert.truthy(result.text:find("300000 rows", 1, true))
    end)

    it("of polars", function()
      if lacks "polars" then return end
      assert.same({ a = { 1, 2 }, b = { "x", null } },
        last("import polars\npolars.DataFrame({'a': [1, 2], 'b': ['x', None]})").data)
    end)

    it("of pyarrow", function()
      if lacks "pyarrow" then return end
      assert.same({ a = { 1, 2 } }, last("import pyarrow\npyarrow.table({'a': [1, 2]})").data)
    end)
  end)

  it("lists and dicts that are shown are JSON too", function()
    assert.same({ 1, { a = null } }, last("[1, {'a': None}]").json)
    assert.same({ a = { "b" } }, last("display({'a': ['b']})").json)
  end)

  it("pictures of PIL: value, display, and what is saved or shown", function()
    if lacks "PIL" then return end
    local code = "from PIL import Image\npicture = Image.new('RGB', (4, 3), 'red')\n"
    for line, is_main in pairs({
      ["picture"] = true, ["display(picture)"] = false, ["picture.save('p.png')"] = false,
      ["picture.show()"] = false,
    }) do
      local results = run(code .. line).results
      assert.equal(1, #results)
      assert.equal(is_main, results[1].is_main_result)
      assert.equal("\0\0\0\4\0\0\0\3", results[1].png:sub(17, 24))
    end
    assert.same({}, run(code .. "import io; picture.save(io.BytesIO(), 'PNG')").results)
  end)
end)
