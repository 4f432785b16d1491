--- Names that are often meant: what a mistyped name of a package is compared with, and which
--- package an import comes from. No other name is ever made up: anybody can publish under it.
local known = {}

known.pip = {
  "requests", "numpy", "pandas", "matplotlib", "scipy", "scikit-learn", "seaborn", "plotly",
  "pillow", "flask", "django", "fastapi", "uvicorn", "sqlalchemy", "pydantic", "httpx", "aiohttp",
  "beautifulsoup4", "lxml", "openpyxl", "xlsxwriter", "pyyaml", "python-dotenv", "python-dateutil",
  "pytz", "tqdm", "click", "rich", "typer", "jinja2", "sympy", "networkx", "statsmodels", "polars",
  "pyarrow", "duckdb", "bokeh", "altair", "opencv-python", "imageio", "scikit-image", "torch",
  "torchvision", "tensorflow", "keras", "transformers", "tokenizers", "datasets", "xgboost",
  "lightgbm", "nltk", "spacy", "gensim", "openai", "anthropic", "langchain", "tiktoken", "faker",
  "pytest", "hypothesis", "mypy", "black", "ruff", "flake8", "isort", "coverage", "tox", "boto3",
  "redis", "pymongo", "psycopg2-binary", "mysql-connector-python", "paramiko", "cryptography",
  "pyjwt", "selenium", "playwright", "scrapy", "feedparser", "markdown", "pygments", "docutils",
  "reportlab", "pypdf", "python-docx", "python-pptx", "tabulate", "termcolor", "colorama",
  "joblib", "dask", "numba", "cython", "shapely", "geopandas", "folium", "wordcloud", "pydub",
  "librosa", "soundfile", "mutagen", "qrcode", "python-barcode", "web3", "yfinance", "ta",
  "pandas-datareader", "prophet", "gymnasium", "pygame", "kivy", "ipython", "ipykernel", "jupyter",
  "notebook", "nbformat", "psutil", "watchdog", "schedule", "celery", "gunicorn", "websockets",
  "grpcio", "protobuf", "msgpack", "orjson", "ujson", "toml", "tomli", "regex", "chardet",
  "charset-normalizer", "certifi", "idna", "urllib3", "six", "attrs", "packaging", "setuptools",
  "wheel",
}

-- Where a module has another name than its package.
known.pip.imports = {
  attr = "attrs", bs4 = "beautifulsoup4", cv2 = "opencv-python", dateutil = "python-dateutil",
  docx = "python-docx", dotenv = "python-dotenv", fitz = "pymupdf", jwt = "pyjwt",
  pil = "pillow", pptx = "python-pptx", psycopg2 = "psycopg2-binary", serial = "pyserial",
  skimage = "scikit-image", sklearn = "scikit-learn", yaml = "pyyaml",
}

known.npm = {
  "lodash", "axios", "express", "react", "react-dom", "vue", "typescript", "moment", "dayjs",
  "date-fns", "uuid", "chalk", "commander", "yargs", "dotenv", "left-pad", "cheerio", "puppeteer",
  "playwright", "jsdom", "node-fetch", "got", "ws", "socket.io", "mongoose", "mongodb", "pg",
  "mysql2", "sqlite3", "better-sqlite3", "redis", "sequelize", "prisma", "zod", "joi", "ajv",
  "jest", "mocha", "chai", "vitest", "eslint", "prettier", "webpack", "vite", "rollup", "esbuild",
  "babel", "rxjs", "immutable", "ramda", "underscore", "async", "bluebird", "debug", "semver",
  "glob", "rimraf", "mkdirp", "fs-extra", "csv-parse", "papaparse", "xlsx", "pdfkit", "sharp",
  "jimp", "canvas", "d3", "chart.js", "three", "mathjs", "decimal.js", "bignumber.js", "nanoid",
  "marked", "markdown-it", "highlight.js", "handlebars", "ejs", "pug", "nodemailer", "bcrypt",
  "jsonwebtoken", "passport", "cors", "body-parser", "helmet", "morgan", "winston", "pino",
  "openai", "langchain", "@types/node", "@anthropic-ai/sdk", "@google/generative-ai", "colors",
}

--- The package that a module comes from, if that is known.
---@param manager "pip"|"npm"
---@param module string the first part of its name: "sklearn", "lodash"
---@return string? package
function known.package_of(manager, module)
  local list = known[manager]
  local package = list.imports and (list.imports[module] or list.imports[module:lower()])
  if package then
    return package
  end
  for _, name in ipairs(list) do
    if name == module then
      return name
    end
  end
end

return known
