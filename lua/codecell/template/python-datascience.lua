--- The template python-datascience, as `codecell template build python-datascience` makes it. Where
--- the system's Python has these modules already, it is there without being built.
return {
  name = "python-datascience",
  description = "NumPy, pandas and Matplotlib for Python; built, SciPy and scikit-learn too",
  python = { "numpy", "pandas", "matplotlib", "scipy", "scikit-learn" },
  modules = { "numpy", "pandas", "matplotlib" }, -- with these it serves unbuilt
  imports = { "numpy", "pandas", "matplotlib.pyplot" }, -- what a pool has ready
}
